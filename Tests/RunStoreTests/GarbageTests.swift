import Files
import Foundation
import RunStore
import TestSupport
import Testing

/// What a store could do without, and what it never is.
@Suite struct GarbageTests {
    /// features ← scores → tokens → tokenizer; a run refers to scores only. And a stage that nobody refers to.
    private struct Example {
        let store: Store
        let needed: [String]
        let unneeded: String
        let run: RunRecord

        init(_ folder: URL) throws {
            store = try Store(directory: folder)
            func make(_ kind: String, _ inputs: [String: String] = [:], _ store: Store) throws -> String {
                let identity = StageIdentity(kind: kind, settings: ["of": .string(kind)], inputs: inputs, formatVersion: 1)
                return try store.perform(identity) { work in
                    try Data(repeating: 1, count: 10_000).write(to: work.url("weights.bin"))
                    return [:]
                }.stage.id
            }
            let tokenizer = try make("tokenizer", [:], store)
            let tokens = try make("tokens", ["tokenizer": tokenizer], store)
            let scores = try make("scores", ["tokens": tokens], store)
            unneeded = try make("prior", ["tokens": tokens], store)
            needed = [tokenizer, tokens, scores]
            run = RunRecord(
                sweep: "s", cell: "c", seed: 0, config: [:], stages: ["scores": scores], codeVersion: .unknown,
                machine: .current())
            try store.save(run)
        }
    }

    @Test func onlyWhatNoRunRefersToIsRemoved() throws {
        try withTemporaryFolder { folder in
            let example = try Example(folder)
            let store = example.store
            let garbage = try store.garbage()
            #expect(garbage.items.map(\.path) == ["stages/\(example.unneeded)"])
            let size = Int(try runProgram("du", ["-s", "-B1", store.stage(id: example.unneeded).directory.path]).split(separator: "\t")[0])
            #expect(garbage.bytes == size)
            #expect(try store.stage(id: example.unneeded).isComplete, "showing removes nothing")

            let removed = try store.remove(garbage)
            #expect(removed.items == garbage.items)
            #expect(try store.stageIDs() == example.needed.sorted())
            for id in example.needed { #expect(try store.stage(id: id).isComplete) }
            #expect(try store.garbage().items.isEmpty)
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("stages").path)
            #expect(left.sorted() == example.needed.sorted())
        }
    }

    /// Pictures can be decoded again, but that takes long: they go where it is asked for.
    @Test func cachesAreGarbageIfAskedFor() throws {
        try withTemporaryFolder { folder in
            let store = try Example(folder).store
            let data = folder.appendingPathComponent("data")
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            for name in ["pictures-0123456789ab.cache", "digest-0123456789ab.json"] {
                try Data(name.utf8).write(to: data.appendingPathComponent(name))
            }
            #expect(try !store.garbage(checkpoints: true).items.contains { $0.kind == .cache })
            let found = try store.garbage(caches: true)
            #expect(found.items.filter { $0.kind == .cache }.map(\.path) == ["data/pictures-0123456789ab.cache"])
            _ = try store.remove(found)
            #expect(try FileManager.default.contentsOfDirectory(atPath: data.path) == ["digest-0123456789ab.json"])
        }
    }

    /// A run that came to refer to it since it was shown keeps it.
    @Test func whatIsReferredToMeanwhileStays() throws {
        try withTemporaryFolder { folder in
            let example = try Example(folder)
            let garbage = try example.store.garbage()
            var run = example.run
            run.stages["prior"] = example.unneeded
            try example.store.save(run)
            #expect(try example.store.remove(garbage).items.isEmpty)
            #expect(try example.store.stage(id: example.unneeded).isComplete)
        }
    }

    /// Nobody refers to the stage, and someone is at work on it.
    @Test func whatIsWorkedOnStays() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let identity = StageIdentity(kind: "samples", settings: [:], formatVersion: 1)
            _ = try? store.perform(identity) { _ in throw Interrupted() }
            let before = try store.garbage()
            #expect(before.items.map(\.path) == ["stages/\(identity.id)"])
            _ = try store.perform(identity) { work in
                try Data().write(to: work.url(".weights.1.2.part"))
                #expect(try Store(directory: folder).garbage().items.isEmpty)
                #expect(try Store(directory: folder).remove(before).items.isEmpty)
                #expect(FileManager.default.fileExists(atPath: work.url(".weights.1.2.part").path))
                return [:]
            }
            #expect(try store.stage(identity).isComplete)
        }
    }

    /// What killed processes leave behind.
    @Test func rubbishIsSweptUp() throws {
        try withTemporaryFolder { folder in
            let example = try Example(folder)
            let store = example.store
            let stage = store.stage(id: example.needed[0])
            try Data(repeating: 7, count: 5000).write(to: stage.url(".checkpoint.h5.1.2.part"))
            try Data("{\"host\":\"\(Machine.current().host)\",\"process\":1,\"started\":0,\"beat\":3}".utf8)
                .write(to: stage.url("lock"))
            let runs = store.directory(ofRun: example.run.id)
            // One of a process that is no more, long ago; one that may be being written now.
            let (old, fresh) = (
                runs.appendingPathComponent(".status.json.4194304.1.part"), runs.appendingPathComponent(".status.json.4194304.2.part")
            )
            // Of a dead process of this host, which is known to be one at once, and of a living one.
            let here = Machine.current().host.replacingOccurrences(of: ".", with: "-")
            let dead = store.directory.appendingPathComponent("sweeps/.s.json.\(here).4194304.3.part")
            let living = runs.appendingPathComponent(".status.json.\(here).\(getpid()).4.part")
            try FileManager.default.createDirectory(at: dead.deletingLastPathComponent(), withIntermediateDirectories: true)
            for file in [old, fresh, dead, living] { try Data("half".utf8).write(to: file) }
            // A run whose process was killed before it could be recorded.
            let begun = store.directory(ofRun: "begun")
            try FileManager.default.createDirectory(at: begun, withIntermediateDirectories: true)
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -7200)], ofItemAtPath: old.path)
            // Removals that were cut short, by this version and by an earlier one.
            let torn = ["stages/.removed-prior-1", "runs/.removed-s-1", "runs/.s.removed", "stages/.prior-1.removed"].map {
                folder.appendingPathComponent($0)
            }
            for folder in torn { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

            let garbage = try store.garbage()
            #expect(
                Set(garbage.items.filter { $0.kind == .partial }.map { URL(fileURLWithPath: $0.path).lastPathComponent })
                    == Set(
                        [".checkpoint.h5.1.2.part", old.lastPathComponent, dead.lastPathComponent, "begun"] + torn.map(\.lastPathComponent))
            )
            #expect(garbage.items.filter { $0.kind == .lock }.map(\.path) == ["stages/\(stage.id)/lock"])
            _ = try store.remove(garbage)
            for gone in [stage.url(".checkpoint.h5.1.2.part"), stage.url("lock"), old, dead, begun] + torn {
                #expect(!FileManager.default.fileExists(atPath: gone.path), "\(gone.path)")
            }
            #expect(try [fresh, living].allSatisfy { FileManager.default.fileExists(atPath: $0.path) } && stage.isComplete)
            #expect(try store.garbage().items.isEmpty)
        }
    }

    /// Where it is not known what a run refers to, nothing is called garbage.
    @Test(arguments: ["cut", "one digit", "missing", "a folder"])
    func aRunThatCannotBeReadStopsEverything(_ damage: String) throws {
        try withTemporaryFolder { folder in
            let example = try Example(folder)
            let shown = try example.store.garbage()
            let record = example.store.directory(ofRun: example.run.id).appendingPathComponent("run.json")
            try example.store.setStatus(Status(.done), ofRun: example.run.id)
            try damageFile(record, damage)
            #expect(try inputError { _ = try example.store.garbage() }.contains(record.path))
            #expect(try inputError { _ = try example.store.remove(shown) }.contains(record.path))
            #expect(try example.store.stageIDs().count == 4)
        }
    }

    /// So do the records of the stages that runs refer to: what they were made from is not known then.
    @Test(arguments: ["cut", "one digit"])
    func aNeededStageThatCannotBeReadStopsEverything(_ damage: String) throws {
        try withTemporaryFolder { folder in
            let example = try Example(folder)
            let record = example.store.stage(id: example.needed[2]).url("stage.json")
            try damageFile(record, damage)
            #expect(try inputError { _ = try example.store.garbage() }.contains(record.path))
        }
    }

    /// `runs` or `stages` was moved away, or its disk is not mounted.
    @Test(arguments: ["runs", "stages"]) func aFolderThatIsMissingStopsEverything(_ name: String) throws {
        try withTemporaryFolder { folder in
            let example = try Example(folder)
            let (place, elsewhere) = (folder.appendingPathComponent(name), folder.appendingPathComponent("elsewhere"))
            try FileManager.default.moveItem(at: place, to: elsewhere)
            #expect(try inputError { _ = try Store(directory: folder) }.contains(place.path))
            #expect(!FileManager.default.fileExists(atPath: place.path))
            try FileManager.default.moveItem(at: elsewhere, to: place)
            #expect(try Store(directory: folder).garbage().items.map(\.path) == ["stages/\(example.unneeded)"])
        }
    }

    /// Another user's store: what is forbidden is not absent. Asked of a process without the rights of the super-user.
    @Test(arguments: ["runs", "stages", "run", "stage"]) func whatIsForbiddenIsNotAbsent(_ which: String) async throws {
        try await withTemporaryFolder { folder in
            let example = try Example(folder)
            let places = [
                "runs": folder.appendingPathComponent("runs"), "stages": folder.appendingPathComponent("stages"),
                "run": example.store.directory(ofRun: example.run.id), "stage": example.store.stage(id: example.needed[0]).directory,
            ]
            let place = try #require(places[which])
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: place.path)
            defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place.path) }
            let (path, forbidden, needed) = (folder.path, place.path, example.needed)
            await #expect(processExitsWith: .success) {
                [path = path as String, forbidden = forbidden as String, needed = needed as [String]] in
                guard setuid(65534) == 0 || geteuid() != 0 else { exit(3) }
                do {
                    let store = try Store(directory: URL(fileURLWithPath: path))
                    _ = try store.garbage()
                    exit(4)
                } catch let error as InputError {
                    guard error.message.contains(forbidden), error.message.contains("ermission denied"), !error.isDamage else { exit(5) }
                }
                guard let store = try? Store(directory: URL(fileURLWithPath: path)) else { exit(0) }
                for id in needed where forbidden.hasSuffix("stages") || forbidden.hasSuffix(id) {
                    guard (try? store.stage(id: id).isComplete) == nil else { exit(6) }
                }
                exit(0)
            }
            #expect(try names(in: folder.appendingPathComponent("stages")).count == 4 || which == "stages")
        }
    }
}

/// What may become of a text file.
func damageFile(_ file: URL, _ damage: String) throws {
    var text = try String(contentsOf: file, encoding: .utf8)
    switch damage {
    case "cut": text.removeLast(text.count / 2)
    case "one digit":
        let place = try #require(text.firstIndex { ("1"..."8").contains($0) })
        text.replaceSubrange(place...place, with: "9")
    default:
        try FileManager.default.removeItem(at: file)
        if damage == "a folder" { try FileManager.default.createDirectory(at: file, withIntermediateDirectories: true) }
        return
    }
    try Data(text.utf8).write(to: file)
}
