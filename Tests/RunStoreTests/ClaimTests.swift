import Files
import Foundation
import RunStore
import Synchronization
import TestSupport
import Testing

/// Claims among hosts whose locks do not reach each other: who goes on, and who is shut out.
@Suite struct ClaimTests {
    private let identity = StageIdentity(kind: "prior", settings: ["dim": 8], formatVersion: 1)

    /// The owner stands still for longer than the others wait, and goes on when another has done its work: nothing that it writes
    /// gets into the stage, whatever it writes, and it takes what the other has made.
    @Test func anOwnerThatStoodStillIsShutOut() throws {
        try withTemporaryFolder { folder in
            let clock = ManualClock()
            let store = try Store(directory: folder, timing: clock.timing(staleAfter: 60))
            var told: [String] = []
            var refused = 0
            let result = try store.perform(identity) {
                told.append($0)
            } work: { work in
                let checkpoint = Checkpoint(counters: ["step": 1])
                try checkpoint.write(to: work.url("checkpoint.h5"))
                let metrics = try MetricsFile.create(at: work.url("metrics.h5"), columns: ["loss"])
                try metrics.append(step: 0, wallSeconds: 1, ["loss": 1])

                let other = try store.perform(identity) { _ in
                    clock.advance(25)
                } work: { successor in
                    #expect(try Checkpoint(reading: successor.url("checkpoint.h5")) == checkpoint, "it goes on from what there is")
                    let metrics = try MetricsFile.resume(at: successor.url("metrics.h5"), through: 0, columns: ["loss"])
                    try metrics.append(step: 1, wallSeconds: 2, ["loss": 2])
                    try metrics.close()
                    try Checkpoint(counters: ["step": 2]).write(to: successor.url("checkpoint.h5"))
                    try successor.save(Scores(protocol: [:], values: ["gfid": 2]), named: "space")
                    return ["by": "successor"]
                }
                #expect(!other.isReused && other.record.summary["by"] == "successor")

                let attempts: [() throws -> Void] = [
                    { try checkpoint.write(to: work.url("checkpoint.h5")) },
                    { _ = try MetricsFile.create(at: work.url("metrics.h5"), columns: ["loss"]) },
                    { try work.save(Scores(protocol: [:], values: ["gfid": 1]), named: "space") },
                    { try work.report(Status(.running, step: 1)) },
                    { try HDF5File.write(atomicallyTo: work.url("samples.h5")) { try $0.setAttribute("a", .int(1)) } },
                    { try AtomicFile.link(work.url("checkpoint.h5"), as: work.url("kept.h5")) },
                    { try AtomicFile.write(Data("late".utf8), to: work.url("weights.bin")) },
                ]
                for attempt in attempts { do { try attempt() } catch { refused += 1 } }
                #expect(refused == attempts.count)
                // Its own file, which nobody sees any more.
                try metrics.append(step: 5, wallSeconds: 9, ["loss": 9])
                return ["by": "loser"]
            }
            #expect(result.isReused && result.record.summary["by"] == "successor")
            #expect(told.count == 1 && told[0].contains("was taken over by"), "\(told)")
            let stage = result.stage
            #expect(try stage.scores()["space"]?.values == ["gfid": 2] && stage.damage() == nil)
            #expect(try Checkpoint(reading: stage.url("checkpoint.h5")).counters == ["step": 2])
            #expect(try MetricsFile.read(stage.url("metrics.h5")).steps == [0, 1])
            #expect(stage.status?.state == .done && stage.owner == nil)
            let log = try String(contentsOf: stage.url("log.txt"), encoding: .utf8)
            #expect(log.contains("taken over from process \(getpid())"))
            let left = try FileManager.default.contentsOfDirectory(atPath: stage.directory.path)
            #expect(!left.contains { $0.hasPrefix(".") || $0 == "lock" }, "\(left)")
        }
    }

    /// The one that took over gives the claim back with the work undone: the first one does it after all, and calls `work` again.
    @Test func whatWasTakenOverAndGivenBackIsGoneOnWith() throws {
        try withTemporaryFolder { folder in
            let clock = ManualClock()
            let store = try Store(directory: folder, timing: clock.timing(staleAfter: 60))
            var calls = 0
            let result = try store.perform(identity) { work in
                calls += 1
                if calls == 1 {
                    #expect(throws: Interrupted.self) {
                        try store.perform(identity, waiting: { _ in clock.advance(25) }) { successor in
                            try successor.report(Status(.running, step: 7))
                            throw Interrupted()
                        }
                    }
                    try work.report(Status(.running, step: 3))
                }
                #expect(work.stage.status?.step == 7)
                return ["calls": .int(calls)]
            }
            #expect(!result.isReused && result.record.summary["calls"] == 2)
        }
    }

    /// A process on another host is stopped, not killed. Somebody goes on with its stage; then it goes on too.
    @Test func aStoppedProcessIsShutOut() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path
            let identity = identity
            let here = OwnThread { () -> (host: String, isReused: Bool) in
                let store = try Store(directory: folder, timing: LockTiming(heartbeat: 0.05, poll: 0.01))
                let stage = store.stage(identity)
                awaitFile(stage.url("samples.bin").path)
                guard let owner = stage.owner else { return ("nobody", true) }
                kill(owner.process, SIGSTOP)
                defer { kill(owner.process, SIGCONT) }
                let result = try store.perform(identity) { work in
                    try AtomicFile.write(Data("second".utf8), to: work.url("samples.bin"))
                    return ["by": "here"]
                }
                return (owner.host, result.isReused)
            }
            await #expect(processExitsWith: .success) { [path = path as String] in
                setenv("PROLOGUE_HOST", "elsewhere", 1)
                // Nothing else ends it where it is not shut out.
                alarm(300)
                let store = try Store(directory: URL(fileURLWithPath: path), timing: LockTiming(heartbeat: 0.05))
                let identity = StageIdentity(kind: "prior", settings: ["dim": 8], formatVersion: 1)
                let result = try store.perform(identity) { work in
                    try AtomicFile.write(Data("first".utf8), to: work.url("samples.bin"))
                    // Stopped somewhere in here, and woken up when the stage is done.
                    while true { try AtomicFile.write(Data("first".utf8), to: work.url("samples.bin")) }
                }
                precondition(result.isReused && result.record.summary["by"] == "here")
            }
            let (host, isReused) = try here.value()
            #expect(host == "elsewhere" && !isReused)
            let stage = try Store(directory: folder).stage(identity)
            #expect(try Data(contentsOf: stage.url("samples.bin")) == Data("second".utf8))
            #expect(try stage.damage() == nil)
        }
    }

    /// Many find the same owner dead at the same moment.
    @Test func oneOfManyTakesOver() throws {
        try withTemporaryFolder { folder in
            for round in 0..<20 {
                let identity = StageIdentity(kind: "prior", settings: ["round": .int(round)], formatVersion: 1)
                let clock = ManualClock()
                let store = try Store(directory: folder, timing: clock.timing(staleAfter: 60))
                let stage = store.stage(identity)
                try FileManager.default.createDirectory(at: stage.directory, withIntermediateDirectories: true)
                let token = round % 2 == 0 ? "" : ",\"token\":\"1f\",\"number\":4"
                try Data("{\"host\":\"elsewhere\",\"process\":1,\"started\":1,\"beat\":3\(token)}".utf8).write(to: stage.url("lock"))
                let counts = Mutex((waiting: 0, inside: 0, most: 0, made: 0))
                inThreads(8) {
                    var hasWaited = false
                    _ = try? store.perform(identity) { _ in
                        if hasWaited { return }
                        hasWaited = true
                        let all = counts.withLock { counts in
                            counts.waiting += 1
                            return counts.waiting == 8
                        }
                        if all { clock.advance(61) }
                    } work: { _ in
                        counts.withLock { counts in
                            counts.inside += 1
                            counts.made += 1
                            counts.most = max(counts.most, counts.inside)
                        }
                        usleep(5000)
                        counts.withLock { $0.inside -= 1 }
                        return [:]
                    }
                }
                let (most, made) = counts.withLock { ($0.most, $0.made) }
                #expect(most == 1 && made == 1, "round \(round)")
                #expect(try stage.isComplete && stage.owner == nil)
            }
        }
    }

    /// Who took over was killed before its claim stood in the dead one's place.
    @Test func aTakeoverThatWasCutShortIsTakenOver() throws {
        try withTemporaryFolder { folder in
            let clock = ManualClock()
            let store = try Store(directory: folder, timing: clock.timing(staleAfter: 60))
            let stage = store.stage(identity)
            try FileManager.default.createDirectory(at: stage.directory, withIntermediateDirectories: true)
            func put(_ name: String, token: String, beat: Int) throws {
                try Data("{\"host\":\"elsewhere\",\"process\":1,\"started\":1,\"beat\":\(beat),\"token\":\"\(token)\"}".utf8)
                    .write(to: stage.url(name))
            }
            try put("lock", token: "aa", beat: 5)
            try put(".lock.after-aa", token: "bb", beat: 1)
            // Of a claim that was given back long ago: nobody follows it.
            try put(".lock.after-cc", token: "dd", beat: 1)
            for token in ["aa", "bb"] {
                try FileManager.default.createDirectory(at: stage.url(".lock.drafts-\(token)"), withIntermediateDirectories: true)
                try Data("half".utf8).write(to: stage.url(".lock.drafts-\(token)/.weights.part"))
            }
            var waits = 0
            let result = try store.perform(identity) { _ in
                waits += 1
                if waits == 2 { try put(".lock.after-aa", token: "bb", beat: 2) }
                clock.advance(25)
            } work: { work in
                #expect(work.stage.owner?.process == getpid())
                return [:]
            }
            #expect(!result.isReused && waits == 5)
            let left = try FileManager.default.contentsOfDirectory(atPath: stage.directory.path).filter {
                $0.hasPrefix(".") || $0 == "lock"
            }
            #expect(left == [".lock.after-cc"])
            // Nobody needs that one.
            let run = RunRecord(
                sweep: "s", cell: "", seed: 0, config: [:], stages: ["prior": stage.id], codeVersion: .unknown, machine: .current())
            try store.save(run)
            let garbage = try store.garbage()
            #expect(garbage.items.map(\.path) == ["stages/\(stage.id)/.lock.after-cc"])
            #expect(try store.remove(garbage).items.count == 1)
        }
    }

    /// Earlier versions: a claim that the kernel's lock speaks for is left alone however long it stands still, and theirs is kept
    /// from ours in the same way.
    @Test func claimsOfEarlierVersionsAndOursExcludeEachOther() throws {
        try withTemporaryFolder { folder in
            let clock = ManualClock()
            let store = try Store(directory: folder, timing: clock.timing(staleAfter: 60))
            let stage = store.stage(identity)
            try FileManager.default.createDirectory(at: stage.directory, withIntermediateDirectories: true)
            try Data("{\"host\":\"\(Machine.current().host)\",\"process\":1,\"started\":1,\"beat\":3}".utf8).write(to: stage.url("lock"))
            let lock = open(stage.url("lock").path, O_RDWR)
            #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
            var waits = 0
            let result = try store.perform(identity) { _ in
                clock.advance(50)
                waits += 1
                if waits == 10 { close(lock) }
            } work: { work in
                let theirs = open(work.url("lock").path, O_RDWR)
                #expect(flock(theirs, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
                close(theirs)
                // What they read of it.
                let record = try python(
                    "import json, sys; r = json.load(open(sys.argv[1])); print(r['process'], r['host'], r['beat'] > 0, r['started'] > 0)",
                    work.url("lock").path)
                #expect(record == "\(getpid()) \(Machine.current().host) False True")
                return [:]
            }
            #expect(!result.isReused && waits == 10)
        }
    }

    /// Where locks need not reach other hosts, what changes the records of runs takes turns by claims.
    @Test func recordsOfASharedStoreTakeTurns() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path
            await #expect(processExitsWith: .success) { [path = path as String] in
                setenv("PROLOGUE_SHARED_STORE", "1", 1)
                let store = try Store(directory: URL(fileURLWithPath: path))
                precondition(store.isShared)
                let run = RunRecord(sweep: "s", cell: "", seed: 0, config: [:], codeVersion: .unknown, machine: .current())
                let made = Mutex(0)
                inThreads(8) {
                    for _ in 0..<5 {
                        let tag = made.withLock { made in
                            made += 1
                            return "\(made)"
                        }
                        do {
                            try store.save(run)
                            try store.annotate(run: run.id) { $0.tags.insert(tag) }
                        } catch { preconditionFailure("\(error)") }
                    }
                }
                let tags = try store.annotations(ofRun: run.id).tags
                precondition(tags.count == 40)
            }
            let left = try python(
                "import glob, sys; print([p for p in glob.glob(sys.argv[1] + '/**/*', recursive=True, include_hidden=True) if 'lock' in p])",
                folder.path)
            #expect(left == "[]")
        }
    }
}

/// Runs `body` in as many threads, and waits for all.
private func inThreads(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    let group = DispatchGroup()
    for _ in 0..<count {
        group.enter()
        Thread.detachNewThread {
            body()
            group.leave()
        }
    }
    group.wait()
}
