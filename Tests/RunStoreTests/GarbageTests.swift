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
            #expect(store.stage(id: example.unneeded).isComplete, "showing removes nothing")

            let removed = try store.remove(garbage)
            #expect(removed.items == garbage.items)
            #expect(store.stageIDs() == example.needed.sorted())
            for id in example.needed { #expect(store.stage(id: id).isComplete) }
            #expect(try store.garbage().items.isEmpty)
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("stages").path)
            #expect(left.sorted() == example.needed.sorted())
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
            #expect(example.store.stage(id: example.unneeded).isComplete)
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
            #expect(store.stage(identity).isComplete)
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
            let (old, fresh) = (runs.appendingPathComponent(".status.json.4194304.1.part"), runs.appendingPathComponent(".status.json.4194304.2.part"))
            for file in [old, fresh] { try Data("half".utf8).write(to: file) }
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -7200)], ofItemAtPath: old.path)
            let torn = folder.appendingPathComponent("stages/.removed-prior-1")
            try FileManager.default.createDirectory(at: torn, withIntermediateDirectories: true)

            let garbage = try store.garbage()
            #expect(Set(garbage.items.filter { $0.kind == .partial }.map { URL(fileURLWithPath: $0.path).lastPathComponent })
                == [".checkpoint.h5.1.2.part", old.lastPathComponent, torn.lastPathComponent])
            #expect(garbage.items.filter { $0.kind == .lock }.map(\.path) == ["stages/\(stage.id)/lock"])
            _ = try store.remove(garbage)
            for gone in [stage.url(".checkpoint.h5.1.2.part"), stage.url("lock"), old, torn] {
                #expect(!FileManager.default.fileExists(atPath: gone.path), "\(gone.path)")
            }
            #expect(FileManager.default.fileExists(atPath: fresh.path) && stage.isComplete)
            #expect(try store.garbage().items.isEmpty)
        }
    }

    /// Where it is not known what a run refers to, nothing is called garbage.
    @Test func anUnreadableRunStopsEverything() throws {
        try withTemporaryFolder { folder in
            let example = try Example(folder)
            let record = example.store.directory(ofRun: example.run.id).appendingPathComponent("run.json")
            try Data("{".utf8).write(to: record)
            #expect(try inputError { _ = try example.store.garbage() }.contains(record.path))
        }
    }
}
