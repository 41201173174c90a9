import Files
import Foundation
import RunStore
import TestSupport
import Testing

@Suite struct RunIndexTests {
    @Test func pythonReadsTheIndexWhileItIsOpen() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let index = try RunIndex(example.store)
            try index.refresh(run: example.runs[0].id)
            let seen = try python(
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1])
                print(db.execute("select sweep, cell, seed, status, step, created, code_changed from runs where seed = 0").fetchall())
                print(db.execute("select key, value_text, value_num from run_config where run_id = ? order by key", [sys.argv[2]]).fetchall())
                print(db.execute("select name, value, role from metrics where run_id = ? order by name", [sys.argv[2]]).fetchall())
                print(db.execute("select tag from tags").fetchall(), db.execute("select text from notes").fetchall())
                print(db.execute("select kind, description from artifacts").fetchall())
                """, example.indexFile.path, example.runs[0].id)
            #expect(
                seen == """
                    [('Baseline vs Prologue', 'tokenizer.variant=prologue, size=S', 0, 'done', 10, '2027-01-15T08:00:00Z', 1)]
                    [('prior.dropout', None, None), ('prior.size', 'S', None), ('seed', None, 0), ('tokenizer.dim', None, 96), \
                    ('tokenizer.ema', 'true', None), ('tokenizer.rate', None, 0.001), ('tokenizer.sizes', '[1,2]', None), \
                    ('tokenizer.variant', 'prologue', None)]
                    [('gfid.cfg', None, 'prior'), ('gfid.nocfg', 12.5, 'prior')]
                    [('keep',), ('paper',)] [('looks good',)]
                    [('picture', 'samples by class')]
                    """)
            #expect(try index.isIntact())
        }
    }

    @Test func answersAboutRunsAndLineage() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let index = try RunIndex(example.store)
            let ids = example.runs.map(\.id)
            #expect(ids[0].hasPrefix("baseline-vs-prologue-tokenizer-variant-prologue-size-s-s0-"))
            #expect(try index.runs().map(\.id) == [ids[1], ids[0]])
            #expect(try index.runs(.init(states: [.done])).map(\.id) == [ids[0]])
            #expect(try index.runs(.init(sweep: "Baseline vs Prologue", seed: 1)).map(\.id) == [ids[1]])
            #expect(try index.runs(.init(tag: "paper")).map(\.id) == [ids[0]])
            #expect(try index.runs(.init(limit: 1)).map(\.id) == [ids[1]])
            #expect(try index.runs(.init(sweep: "x' or '1'='1")).isEmpty)
            #expect(try index.runs(.init(states: [])).isEmpty)

            let metrics = try index.metrics(for: ids[1])
            #expect(metrics.map(\.name) == ["gfid.cfg", "gfid.nocfg"] && metrics.map(\.value) == [nil, 13.5])
            #expect(metrics[0].protocol["n"] == 5000 && metrics[0].stage == example.priors[1])

            #expect(try index.ancestors(of: example.priors[0]) == [example.tokenizer])
            #expect(try index.descendants(of: example.tokenizer) == example.priors.sorted())
            #expect(try index.runs(using: example.tokenizer) == ids.sorted())
            #expect(try index.runs(using: example.priors[1]) == [ids[1]])

            let table = try index.query("SELECT seed, name FROM runs WHERE seed = ?", [1])
            #expect(table.columns == ["seed", "name"] && table.rows == [[1, .string(example.runs[1].name)]])
            #expect(try inputError { _ = try index.query("DELETE FROM runs") }.contains("queries can only read"))
            #expect(try inputError { _ = try index.query("SELECT sed FROM runs") }.contains("no such column: sed"))
            #expect(try index.runs().count == 2)
        }
    }

    @Test func refreshFollowsTheFiles() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let index = try RunIndex(example.store)
            let id = example.runs[0].id
            try example.store.setStatus(Status(.failed, step: 3, message: "diverged"), ofRun: id)
            try example.store.annotate(run: id) { $0.tags.remove("paper") }
            #expect(try index.runs(.init(states: [.failed])).isEmpty)
            try index.refresh(run: id)
            #expect(try index.runs(.init(states: [.failed])).map(\.message) == ["diverged"])
            #expect(try index.runs(.init(tag: "paper")).isEmpty && index.runs(.init(tag: "keep")).count == 1)

            // A second index on the same store, as another process has it, sees it too.
            #expect(try RunIndex(example.store).runs(.init(states: [.failed])).count == 1)
            try FileManager.default.removeItem(at: example.store.directory(ofRun: id))
            try index.refresh(run: id)
            #expect(try index.runs().map(\.id) == [example.runs[1].id])
            #expect(try index.query("SELECT count(*) FROM run_stages").rows == [[2]])
            #expect(try inputError { _ = try example.store.run(id) }.contains("no run '\(id)'"))

            try example.store.stage(id: example.tokenizer).invalidate(because: "cut short")
            try index.refresh(stage: example.tokenizer)
            #expect(try index.query("SELECT status FROM stages WHERE id = ?", [.string(example.tokenizer)]).rows == [["interrupted"]])

            // Scores that change are found by value too.
            let score = "SELECT value FROM run_values JOIN metric_names ON metric = metric_names.number"
            #expect(try index.query(score).rows == [[13.5]])
            try example.store.stage(id: example.priors[1]).invalidate(because: "cut short")
            try index.refresh(stage: example.priors[1])
            #expect(try index.query(score).rows == [])
        }
    }

    /// What came in piece by piece is what a rebuild finds.
    @Test func reindexRestoresExactly() throws {
        try withTemporaryFolder { folder in
            let early = try RunIndex(Store(directory: folder))
            let example = try ExampleStore(in: folder)
            for run in example.runs { try early.refresh(run: run.id) }
            let before = try example.dump()
            #expect(before.contains("looks good") && before.contains("gfid.nocfg") && before.contains("(4,) (9,)"))
            try RunIndex(example.store).reindex()
            #expect(try example.dump() == before)

            let warnings = Warnings()
            for suffix in ["", "-wal", "-shm"] { unlink(example.indexFile.path + suffix) }
            _ = try RunIndex(example.store, warning: { warnings.add($0) })
            #expect(try example.dump() == before)
            #expect(warnings.all.count == 1 && warnings.all[0].contains("missing"))
        }
    }

    /// An index of the first version, with another layout, is brought up to date from the files.
    @Test func anOldIndexIsMadeAgain() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            do { _ = try RunIndex(example.store) }
            let before = try example.dump()
            // As the first version left it: its tables, and no word of later migrations.
            _ = try python(
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1])
                for name in ('run_config', 'metrics', 'run_stages'): db.execute(f'drop view {name}')
                for name in ('run_sections', 'config_values', 'config_sections', 'config_keys', 'run_parts', 'run_roles',
                             'run_values', 'metric_names'):
                    db.execute(f'drop table {name}')
                kept = ('kind', 'status', 'dir', 'settings_json', 'summary_json', 'wall_seconds', 'peak_memory_bytes', 'started',
                        'finished', 'code_commit', 'code_changed', 'host')
                db.executescript(f'''
                    create table old as select * from stages;
                    drop table stages;
                    drop table machines;
                    create table stages (id text primary key, {", ".join(kept)}, machine_json text) without rowid;
                    create index stages_by_kind on stages(kind, status);
                    insert into stages select id, {", ".join(kept)}, null from old;
                    drop table old;
                ''')
                db.execute('alter table runs drop column machine')
                db.execute('alter table runs add column machine_json text')
                for name in ('runs_by_created', 'runs_by_status', 'runs_by_sweep_and_date', 'runs_by_sweep_and_state'): db.execute(f'drop index {name}')
                db.executescript('''
                    create index runs_by_status on runs(status);
                    create index runs_by_created on runs(created);
                    create table config_keys (number integer primary key, key text not null unique);
                    create table config_values (run integer not null, key integer not null, value, primary key (run, key));
                    create table run_stages (run_id text not null, role text not null, stage_id text not null);
                    create view run_config as select 1 as run_id;
                    create view metrics as select 1 as run_id;
                    delete from grdb_migrations where identifier not like '1%';
                ''')
                db.commit()
                """, example.indexFile.path)
            let warnings = Warnings()
            let index = try RunIndex(example.store, warning: { warnings.add($0) })
            #expect(try example.dump() == before)
            #expect(try index.isIntact() && warnings.all.count == 1)
        }
    }

    @Test(arguments: ["rubbish", "cut short", "empty", "overwritten page", "left journal", "other schema"])
    func aDamagedIndexIsMadeAgain(_ damage: String) throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            do { _ = try RunIndex(example.store) }
            let before = try example.dump()
            let file = example.indexFile
            // All of it into the main file.
            _ = try python("import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('pragma wal_checkpoint(truncate)')", file.path)
            var bytes = try Data(contentsOf: file)
            #expect(bytes.count > 8192)
            switch damage {
            case "rubbish": bytes = Data("not a database, though long enough to be one".utf8)
            case "cut short": bytes = bytes.prefix(bytes.count / 2 / 4096 * 4096)
            case "empty": bytes = Data()
            case "overwritten page":
                for page in 1..<bytes.count / 4096 {
                    bytes.replaceSubrange(page * 4096..<page * 4096 + 64, with: Data(repeating: 0xEE, count: 64))
                }
            case "left journal":
                unlink(file.path)
                try bytes.write(to: URL(fileURLWithPath: file.path + "-wal"))
            default: break
            }
            if damage == "other schema" {
                _ = try python("import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('drop table filled')", file.path)
            } else if damage != "left journal" {
                for suffix in ["-wal", "-shm"] { unlink(file.path + suffix) }
                try bytes.write(to: file)
            }
            let warnings = Warnings()
            let index = try RunIndex(example.store, warning: { warnings.add($0) })
            #expect(try index.runs().count == 2)
            #expect(try index.metrics(for: example.runs[0].id).count == 2)
            #expect(try index.isIntact())
            #expect(!warnings.all.isEmpty)
            #expect(try example.dump() == before)
        }
    }

    @Test func anIndexReplacedByAnotherProcessIsFollowed() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let first = try RunIndex(example.store)
            #expect(try first.runs().count == 2)
            for suffix in ["", "-wal", "-shm"] { unlink(example.indexFile.path + suffix) }
            let second = try RunIndex(example.store)
            try example.store.setStatus(Status(.failed, message: "late"), ofRun: example.runs[1].id)
            try first.refresh(run: example.runs[1].id)
            #expect(try second.runs(.init(states: [.failed])).map(\.message) == ["late"])
        }
    }

    @Test func aDamagedRunIsLeftOutAndNamed() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let file = example.store.directory(ofRun: example.runs[0].id).appendingPathComponent("run.json")
            try Data("{\"id\": \"x\"}".utf8).write(to: file)
            let warnings = Warnings()
            let index = try RunIndex(example.store, warning: { warnings.add($0) })
            #expect(try index.runs().map(\.id) == [example.runs[1].id])
            #expect(warnings.all.contains { $0.contains(file.path) && $0.contains("lacks the key") })
        }
    }

    /// Killed at a random moment of writing, the index opens, is intact, and a rebuild finds what the files say.
    @Test func killNineWhileIndexingLosesNothing() async throws {
        try await withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            do { _ = try RunIndex(example.store) }
            let before = try example.dump()
            let path = folder.path
            for _ in 0..<10 {
                await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                    let store = try Store(directory: URL(fileURLWithPath: path))
                    let index = try RunIndex(store)
                    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int.random(in: 1...60))) {
                        kill(getpid(), SIGKILL)
                    }
                    while true {
                        for id in try store.runIDs() { try index.refresh(run: id) }
                        try index.reindex()
                    }
                }
                let index = try RunIndex(example.store)
                #expect(try index.isIntact() && index.runs().count == 2)
            }
            #expect(try example.dump() == before)
        }
    }

    @Test(.enabled(if: canMount, "needs the right to mount")) func aReadOnlyStoreIsReadAndSaysThatItIs() throws {
        try withMountedFolder(kilobytes: 4096) { folder in
            let example = try ExampleStore(in: folder)
            do { _ = try RunIndex(example.store) }
            try runProgram("mount", ["-o", "remount,ro", folder.path])
            let store = try Store(directory: folder)
            let index = try RunIndex(store)
            #expect(try index.runs().count == 2)
            #expect(try inputError { try index.refresh(run: example.runs[0].id) }.contains("the store is read-only"))
            let identity = StageIdentity(kind: "prior", settings: [:], formatVersion: 1)
            let message = try inputError { _ = try store.perform(identity) { _ in [:] } }
            #expect(message.contains(identity.id) && message.contains("read-only"))
            let status = try inputError { try store.setStatus(Status(.done), ofRun: example.runs[0].id) }
            #expect(status.contains("status.json") && status.contains("read-only"))
        }
    }

    @Test(.enabled(if: canMount, "needs the right to mount")) func aFullDiskIsSaidPlainly() throws {
        try withMountedFolder(kilobytes: 1024) { folder in
            let example = try ExampleStore(in: folder)
            let index = try RunIndex(example.store)
            let filler = folder.appendingPathComponent("filler")
            #expect(throws: (any Error).self) { try runProgram("dd", ["if=/dev/zero", "of=\(filler.path)", "bs=512"]) }
            let extra = RunRecord(
                sweep: "x", cell: "", seed: 0, config: [:], codeVersion: .unknown, machine: .current())
            #expect(try inputError { try example.store.save(extra) }.contains("the disk is full"))
            // A few times, because the journal may have room left.
            let message = try inputError { try (0..<20).forEach { _ in try index.reindex() } }
            #expect(message.contains("the disk is full"))
            unlink(filler.path)
            try index.reindex()
            #expect(try index.isIntact() && index.runs().count == 2)
        }
    }
}
