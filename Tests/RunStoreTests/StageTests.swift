import Files
import Foundation
import RunStore
import TestSupport
import Testing

@Suite struct StageTests {
    private let identity = StageIdentity(
        kind: "tokenizer", settings: ["dim": 96, "rate": 1e-3, "tau": 1.0], formatVersion: 1)

    @Test func theNameFollowsFromTheContentAlone() throws {
        let same = StageIdentity(kind: "tokenizer", settings: ["tau": 1, "rate": 0.001, "dim": 96], formatVersion: 1)
        #expect(same.id == identity.id)
        // The digest, computed by Python over the canonical JSON.
        let expected = try python(
            """
            import hashlib, json
            text = json.dumps({'kind': 'tokenizer', 'settings': {'dim': 96, 'rate': 0.001, 'tau': 1}, 'inputs': {},
                               'format_version': 1}, sort_keys=True, separators=(',', ':'))
            print('tokenizer-' + hashlib.sha256(text.encode()).hexdigest()[:12])
            """)
        #expect(identity.id == expected)
        let others = [
            StageIdentity(kind: "prior", settings: identity.settings, formatVersion: 1),
            StageIdentity(kind: "tokenizer", settings: ["dim": 97, "rate": 1e-3, "tau": 1], formatVersion: 1),
            StageIdentity(kind: "tokenizer", settings: identity.settings, inputs: ["data": "x"], formatVersion: 1),
            StageIdentity(kind: "tokenizer", settings: identity.settings, formatVersion: 2),
        ]
        #expect(Set(others.map(\.id) + [identity.id]).count == 5)
    }

    @Test func aCompleteStageIsReused() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            #expect(try !store.stage(identity).isComplete)
            let first = try store.perform(identity) { work in
                #expect(work.stage.status?.state == .running)
                try work.report(Status(.running, step: 7, of: 9, values: ["loss": 1.5, "diverged": .infinity]))
                try work.log("half way")
                return ["loss": 1.25]
            }
            #expect(!first.isReused && first.record.summary["loss"] == 1.25)
            let second = try Store(directory: folder).perform(identity) { _ in
                Issue.record("a complete stage was worked on again")
                return [:]
            }
            #expect(second.isReused)
            #expect(second.record.identity == identity && second.record.peakMemoryBytes > 1_000_000)
            let status = try #require(second.stage.status)
            #expect(status.state == .done && status.step == 7 && status.values == ["loss": 1.5])
            #expect(try store.stageIDs() == [identity.id])
            #expect(!FileManager.default.fileExists(atPath: second.stage.url("lock").path))
            #expect(try String(contentsOf: second.stage.url("log.txt"), encoding: .utf8).contains("half way"))
        }
    }

    @Test func aFailedOrInterruptedStageIsGoneOnWith() throws {
        struct Diverged: Error {}
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            #expect(throws: Diverged.self) {
                try store.perform(identity) { work in
                    try Data("partial".utf8).write(to: work.url("checkpoint.h5"))
                    try Data("rubbish".utf8).write(to: work.url(".checkpoint.h5.1.2.part"))
                    throw Diverged()
                }
            }
            #expect(store.stage(identity).status?.state == .failed)
            #expect(store.stage(identity).status?.message.contains("Diverged") == true)
            #expect(throws: Interrupted.self) {
                try store.perform(identity) { work in
                    #expect(FileManager.default.fileExists(atPath: work.url("checkpoint.h5").path))
                    #expect(!FileManager.default.fileExists(atPath: work.url(".checkpoint.h5.1.2.part").path))
                    Thread.sleep(forTimeInterval: 0.1)
                    throw Interrupted()
                }
            }
            #expect(store.stage(identity).status?.state == .interrupted)
            let done = try store.perform(identity) { _ in [:] }
            #expect(!done.isReused && done.record.wallSeconds >= 0.1)
        }
    }

    @Test func aDamagedOrInvalidatedStageIsDoneAgain() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let stage = try store.perform(identity) { _ in ["round": 1] }.stage
            try Data("{\"id\": ".utf8).write(to: stage.url("stage.json"))
            #expect(try !stage.isComplete)
            #expect(try store.perform(identity) { _ in ["round": 2] }.record.summary["round"] == 2)
            try stage.invalidate(because: "tokens.h5 is cut short")
            #expect(try !stage.isComplete && stage.status?.message == "tokens.h5 is cut short")
            #expect(try store.perform(identity) { _ in ["round": 3] }.record.summary["round"] == 3)

            // One digit: the checksum at the record's end tells. Without the checksum, the settings do.
            let text = try String(contentsOf: stage.url("stage.json"), encoding: .utf8)
            let other = text.replacingOccurrences(of: "\"dim\": 96", with: "\"dim\": 95")
            try Data(other.utf8).write(to: stage.url("stage.json"))
            #expect(try inputError { _ = try stage.record }.contains("checksum"))
            #expect(try store.perform(identity) { _ in ["round": 4] }.record.summary["round"] == 4)
            let unsealed = other.replacing(/,\n  "sha256": "[0-9a-f]{64}"/, with: "")
            try Data(unsealed.utf8).write(to: stage.url("stage.json"))
            #expect(try inputError { _ = try store.perform(identity) { _ in [:] } }.contains("other settings"))
        }
    }

    @Test func anInputMustBeComplete() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let prior = StageIdentity(kind: "prior", settings: [:], inputs: ["tokens": identity.id], formatVersion: 1)
            let message = try inputError { _ = try store.perform(prior) { _ in [:] } }
            #expect(message.contains(identity.id) && message.contains("as its tokens"))
            _ = try store.perform(identity) { _ in [:] }
            _ = try store.perform(prior) { _ in [:] }
        }
    }

    @Test func scoresKeepWhatFailedAsMissing() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let scores = Scores(protocol: ["n": 5000], values: ["gfid": 12.5, "gfid.cfg": nil, "is": .nan])
            let stage = try store.perform(identity) { work in
                try work.save(scores, named: "fashion-cnn")
                return [:]
            }.stage
            #expect(try stage.scores() == ["fashion-cnn": scores])
            let seen = try python(
                "import json,sys; print(json.load(open(sys.argv[1]))['values'])", stage.url("scores/fashion-cnn.json").path)
            #expect(seen == "{'gfid': 12.5, 'gfid.cfg': None, 'is': None}")
        }
    }

    /// Another process holds the stage; we wait, and reuse what it made.
    @Test func twoProcessesDoTheWorkOnce() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path
            let id = identity.id
            let identity = identity
            let here = OwnThread {
                awaitFile(folder.appendingPathComponent("stages/\(id)/lock").path)
                var messages: [String] = []
                let result = try Store(directory: folder).perform(identity) { message in
                    messages.append(message)
                    _ = FileManager.default.createFile(atPath: folder.appendingPathComponent("seen").path, contents: nil)
                } work: { _ in
                    throw InputError("worked on what another process had claimed")
                }
                return (result: result, messages: messages)
            }
            await #expect(processExitsWith: .success) { [path = path as String] in
                // Nothing else ends it where it is not seen.
                alarm(300)
                let identity = StageIdentity(
                    kind: "tokenizer", settings: ["dim": 96, "rate": 1e-3, "tau": 1.0], formatVersion: 1)
                _ = try Store(directory: URL(fileURLWithPath: path)).perform(identity) { work in
                    try work.report(Status(.running, step: 3, of: 5))
                    // Holds on until the other process has been seen waiting.
                    let seen = URL(fileURLWithPath: path).appendingPathComponent("seen").path
                    while !FileManager.default.fileExists(atPath: seen) { usleep(10_000) }
                    return ["by": .int(Int(getpid()))]
                }
            }
            let (result, messages) = try here.value()
            #expect(result.isReused && result.record.summary["by"] != .int(Int(getpid())))
            #expect(messages.first?.contains("is being made by process") == true)
        }
    }

    @Test func aKilledOwnersStageIsTakenOver() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                let identity = StageIdentity(
                    kind: "tokenizer", settings: ["dim": 96, "rate": 1e-3, "tau": 1.0], formatVersion: 1)
                _ = try Store(directory: URL(fileURLWithPath: path)).perform(identity) { work in
                    try work.report(Status(.running, step: 40, of: 50))
                    kill(getpid(), SIGKILL)
                    return [:]
                }
            }
            let store = try Store(directory: folder)
            #expect(store.stage(identity).status?.state == .interrupted, "the file says running, of a process that is dead")
            #expect(FileManager.default.fileExists(atPath: store.stage(identity).url("lock").path))
            let result = try store.perform(identity) { _ in
                Issue.record("waited for a process that is dead")
                throw Interrupted()
            } work: { work in
                #expect(work.stage.status?.step == 40)
                return [:]
            }
            #expect(!result.isReused)
        }
    }

    /// The owner is on another host, so that only its heartbeat speaks for it. Its clock and ours play no part: the
    /// lock file is dated in the future.
    @Test func anotherHostsStageIsTakenOverWhenItsHeartStops() throws {
        try withTemporaryFolder { folder in
            let clock = ManualClock()
            let store = try Store(directory: folder, timing: clock.timing(staleAfter: 60))
            let stage = store.stage(identity)
            try FileManager.default.createDirectory(at: stage.directory, withIntermediateDirectories: true)
            func beat(_ count: Int) throws {
                let owner = "{\"host\":\"elsewhere\",\"process\":1,\"started\":4000000000,\"beat\":\(count)}"
                try Data(owner.utf8).write(to: stage.url("lock"))
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: 1e7)], ofItemAtPath: stage.url("lock").path)
            }
            try beat(1)
            var waits = 0
            let result = try store.perform(identity) { message in
                #expect(message.contains("process 1 on elsewhere"))
                waits += 1
                if waits <= 12 { try beat(waits + 1) }
                clock.advance(25)
            } work: { _ in
                [:]
            }
            #expect(!result.isReused)
            // The last beat is seen after the twelfth wait, and has stood still for 75 seconds after three more.
            #expect(waits == 15)
        }
    }

    /// Looking at claims from time to time: an owner on another host counts as dead once its heart has stood still for
    /// long enough on our own clock, whatever the dates in its file say; one that is here, once its process is gone.
    @Test func aWatchTellsTheDeadFromTheLiving() throws {
        try withTemporaryFolder { folder in
            let clock = ManualClock()
            let store = try Store(directory: folder, timing: clock.timing(staleAfter: 60))
            let stage = store.stage(identity)
            var watch = ClaimWatch()
            func isHeld() -> Bool { if case .held = watch.claim(on: identity, in: store) { true } else { false } }
            #expect(watch.claim(on: identity, in: store) == .free)
            try FileManager.default.createDirectory(at: stage.directory, withIntermediateDirectories: true)
            func write(_ host: String, process: Int32, beat: Int) throws {
                let owner = "{\"host\":\"\(host)\",\"process\":\(process),\"started\":\(4e9 - Double(beat) * 1e6),\"beat\":\(beat)}"
                try Data(owner.utf8).write(to: stage.url("lock"))
            }
            for beat in 1...6 {
                try write("elsewhere", process: 1, beat: beat)
                #expect(isHeld() && stage.owner?.process == 1)
                clock.advance(59)
            }
            #expect(isHeld())
            clock.advance(1)
            #expect(watch.claim(on: identity, in: store) == .abandoned(by: stage.owner))
            try write("elsewhere", process: 1, beat: 7)
            #expect(isHeld(), "it has come to life again")

            // Here the file's lock tells, even where another process has got the dead one's number.
            try write(Machine.current().host, process: getpid(), beat: 1)
            #expect(watch.claim(on: identity, in: store) == .free && stage.owner == nil)
            let other = StageIdentity(kind: "prior", settings: [:], formatVersion: 1)
            _ = try store.perform(other) { work in
                #expect(watch.claim(on: other, in: store) == .held(by: work.stage.owner))
                #expect(work.stage.owner?.process == getpid())
                return [:]
            }
            // A dead owner elsewhere, found so by the watch, is not waited for.
            try write("elsewhere", process: 1, beat: 8)
            let dead = try #require(stage.owner)
            try write("elsewhere", process: 1, beat: 9)
            struct Alive: Error {}
            #expect(throws: Alive.self, "it was dead, and has come to life since") {
                try store.perform(identity, takingOver: dead, waiting: { _ in throw Alive() }) { _ in [:] }
            }
            let result = try store.perform(identity, takingOver: stage.owner) { _ in
                Issue.record("waited for the dead")
            } work: { _ in
                [:]
            }
            #expect(!result.isReused)
        }
    }

    @Test func waitingCanBeGivenUp() throws {
        struct Enough: Error {}
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            _ = try store.perform(identity) { _ in
                #expect(throws: Enough.self) {
                    _ = try store.perform(identity, waiting: { _ in throw Enough() }) { _ in [:] }
                }
                return [:]
            }
        }
    }
}
