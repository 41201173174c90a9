import Files
import Foundation
import RunStore
import TestSupport

/// A store with two runs of one sweep that share a tokenizer, scores (one of them failed), tags, notes and a picture.
struct ExampleStore {
    let store: Store
    let tokenizer: String
    let priors: [String]
    let runs: [RunRecord]

    init(in folder: URL) throws {
        store = try Store(directory: folder)
        let store = store
        let machine = Machine.current(blasCore: "SkylakeX", blasThreads: "2")
        let code = CodeVersion(commit: "0123abcd", hasLocalChanges: true)
        func make(_ identity: StageIdentity, _ scores: Scores? = nil) throws -> String {
            try store.perform(identity, code: code, machine: machine) { work in
                let metrics = try MetricsFile.create(at: work.url("metrics.h5"), columns: ["loss"])
                for step in 1...5 { try metrics.append(step: step, wallSeconds: Double(step), ["loss": 1 / Float(step)]) }
                try metrics.close()
                if let scores { try work.save(scores, named: "fashion-cnn") }
                return ["steps": 5]
            }.stage.id
        }
        let tokenizer = try make(StageIdentity(kind: "tokenizer", settings: ["dim": 96], formatVersion: 1))
        self.tokenizer = tokenizer
        priors = try [0, 1].map { seed in
            try make(
                StageIdentity(kind: "prior", settings: ["seed": .int(seed)], inputs: ["tokens": tokenizer], formatVersion: 1),
                Scores(
                    protocol: ["features": "fashion-cnn", "n": 5000],
                    values: ["gfid.nocfg": 12.5 + Double(seed), "gfid.cfg": nil]))
        }
        runs = try priors.enumerated().map { seed, prior in
            let run = RunRecord(
                sweep: "Baseline vs Prologue", cell: "tokenizer.variant=prologue, size=S", seed: seed,
                seeds: ["sampler": 7],
                config: [
                    "tokenizer": ["variant": "prologue", "dim": 96, "rate": 1e-3, "ema": true, "sizes": [1, 2]],
                    "prior": ["dropout": .null, "size": "S"], "seed": .int(seed),
                ],
                stages: ["tokenizer": tokenizer, "prior": prior], codeVersion: code, machine: machine,
                created: Date(timeIntervalSince1970: 1_800_000_000 + Double(seed)))
            try store.save(run)
            return run
        }
        try store.setStatus(
            Status(.done, step: 10, of: 10, message: "it's done", wallSeconds: 3.5, updated: Date(timeIntervalSince1970: 1_800_000_100)),
            ofRun: runs[0].id)
        try store.annotate(run: runs[0].id) {
            $0.tags = ["paper", "keep"]
            $0.notes.append(.init(text: "looks good", written: Date(timeIntervalSince1970: 1_800_000_200)))
        }
        try store.setArtifacts(
            [Artifact(kind: "picture", path: "runs/\(runs[0].id)/report/grid.png", description: "samples by class")],
            ofRun: runs[0].id)
    }

    var indexFile: URL { store.directory.appendingPathComponent("index.sqlite") }

    /// Everything in the index, as Python's sqlite3 sees it, but for the date it was made.
    ///
    /// - Parameter index: nil: the one in the store.
    func dump(_ index: URL? = nil) throws -> String {
        try python(
            """
            import sqlite3, sys
            db = sqlite3.connect(sys.argv[1])
            # Tables that refer by number: the views say what they hold, and the two lines at the end.
            internal = ('config_values', 'config_keys', 'config_sections', 'run_sections', 'run_parts', 'run_values',
                        'metric_names', 'protocols', 'scores')
            kinds = [r[0] for r in db.execute("select name from sqlite_master where type in ('table', 'view') order by name")]
            for name in kinds:
                if name in ('filled', 'followed') or name.startswith('sqlite_') or name in internal: continue
                columns = [c[1] for c in db.execute(f'pragma table_info({name})') if c[1] != 'number']
                for row in sorted(db.execute(f"select {', '.join(columns)} from {name}"), key=repr): print(name, row)
            print('values', db.execute('''select runs.id, metric_names.name, value from run_values
                join runs on runs.number = run join metric_names on metric_names.number = metric order by 1, 2''').fetchall())
            print(db.execute('select count(*) from scores').fetchone(), db.execute('select count(*) from config_values').fetchone())
            """, (index ?? indexFile).path)
    }
}

/// Collects warnings from any thread.
final class Warnings: @unchecked Sendable {
    private let lock = NSLock()
    private var texts: [String] = []

    var all: [String] { lock.withLock { texts } }
    func add(_ text: String) { lock.withLock { texts.append(text) } }
}
