import Files
import Foundation
import RunStore
import TestSupport
import Testing

@Suite struct RemovalTests {
    private func exists(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.path) }

    @Test func whatOthersUseStays() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let store = example.store
            let ids = example.runs.map(\.id)
            let first = try Removal(of: [ids[0]], in: store)
            #expect(first.runs == [ids[0]] && first.stages.map(\.id) == [example.priors[0]])
            #expect(first.sharedStages == 1 && first.bytes > 0 && first.leftAlone.isEmpty)
            // Looking removes nothing.
            #expect(exists(store.directory(ofRun: ids[0])) && store.stage(id: example.priors[0]).isComplete)

            try first.perform()
            #expect(store.runIDs() == [ids[1]])
            #expect(store.stageIDs() == [example.tokenizer, example.priors[1]].sorted())
            #expect(store.stage(id: example.tokenizer).isComplete)

            let last = try Removal(of: [ids[1]], in: store)
            #expect(Set(last.stages.map(\.id)) == [example.tokenizer, example.priors[1]] && last.sharedStages == 0)
            try last.perform()
            #expect(store.runIDs().isEmpty && store.stageIDs().isEmpty)
        }
    }

    /// A stage that a run does not name, but one of its stages was made from, is needed as well.
    @Test func whatStagesWereMadeFromStays() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            var other = example.runs[1]
            other.stages = ["prior": example.priors[1]]
            try example.store.save(other)
            let removal = try Removal(of: [example.runs[0].id], in: example.store)
            #expect(removal.stages.map(\.id) == [example.priors[0]])
        }
    }

    @Test func stagesCanBeKept() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            try Removal(of: example.runs.map(\.id), withStages: false, in: example.store).perform()
            #expect(example.store.runIDs().isEmpty && example.store.stageIDs().count == 3)
        }
    }

    @Test func whatIsWorkedOnIsLeftAlone() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let identity = StageIdentity(kind: "samples", settings: [:], inputs: ["prior": example.priors[0]], formatVersion: 1)
            var run = example.runs[0]
            run.stages["samples"] = identity.id
            try example.store.save(run)
            _ = try example.store.perform(identity) { _ in
                let removal = try Removal(of: example.runs.map(\.id), in: example.store)
                #expect(removal.runs == [example.runs[1].id] && removal.stages.map(\.id) == [example.priors[1]])
                #expect(removal.leftAlone.count == 1 && removal.leftAlone[0].run == run.id)
                #expect(removal.leftAlone[0].reason.contains(identity.id))
                return [:]
            }
            #expect(try Removal(of: [run.id], in: example.store).runs == [run.id])
        }
    }

    @Test func anUnreadableRunStopsIt() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let file = example.store.directory(ofRun: example.runs[1].id).appendingPathComponent("run.json")
            try Data("{".utf8).write(to: file)
            // What it uses is not known, so that nothing can be called unused.
            #expect(try inputError { _ = try Removal(of: [example.runs[0].id], in: example.store) }.contains(file.path))
        }
    }
}
