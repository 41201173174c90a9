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
            #expect(try exists(store.directory(ofRun: ids[0])) && store.stage(id: example.priors[0]).isComplete)

            #expect(try first.perform().runs == [ids[0]])
            #expect(try store.runIDs() == [ids[1]])
            #expect(try store.stageIDs() == [example.tokenizer, example.priors[1]].sorted())
            #expect(try store.stage(id: example.tokenizer).isComplete)

            let last = try Removal(of: [ids[1]], in: store)
            #expect(Set(last.stages.map(\.id)) == [example.tokenizer, example.priors[1]] && last.sharedStages == 0)
            _ = try last.perform()
            #expect(try store.runIDs().isEmpty && store.stageIDs().isEmpty)
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
            _ = try Removal(of: example.runs.map(\.id), withStages: false, in: example.store).perform()
            #expect(try example.store.runIDs().isEmpty && example.store.stageIDs().count == 3)
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

    /// Between the look and the removal another run came to use the stages, another process to work on a run.
    @Test func whatIsUsedMeanwhileStays() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let store = example.store
            let all = try Removal(of: example.runs.map(\.id), in: store)
            #expect(all.stages.count == 3)
            let later = RunRecord(
                sweep: "later", cell: "", seed: 0, config: [:], stages: ["prior": example.priors[1]], codeVersion: .unknown,
                machine: .current())
            try store.save(later)
            try store.setStatus(Status(.running, owner: .current), ofRun: example.runs[0].id)
            let removed = try all.perform()
            #expect(removed.runs == [example.runs[1].id] && removed.stages.isEmpty)
            #expect(try store.runIDs() == [example.runs[0].id, later.id].sorted())
            for id in example.priors + [example.tokenizer] { #expect(try store.stage(id: id).isComplete) }
            // The same with a stage that a process has claimed.
            try store.setStatus(Status(.done), ofRun: example.runs[0].id)
            let last = try Removal(of: [example.runs[0].id], in: store)
            #expect(last.stages.map(\.id) == [example.priors[0]])
            let lock = open(store.stage(id: example.priors[0]).url("lock").path, O_RDWR | O_CREAT, 0o644)
            #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
            #expect(try last.perform().stages.isEmpty && store.stage(id: example.priors[0]).isComplete)
            close(lock)
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
