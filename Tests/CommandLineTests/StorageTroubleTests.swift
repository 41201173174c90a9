import Files
import Foundation
import TestSupport
import Testing

/// Disks that are full or cannot be written, indexes that are gone, clocks that run backwards.
@Suite(.serialized) struct StorageTroubleTests {
    private let scenario = Scenario.long

    /// The disk fills up in the middle. The error says so, nothing is corrupt, and with space it goes on.
    @Test(.enabled(if: canMount, "needs the right to mount file systems"), arguments: [500, 900, 1300])
    func aFullDiskStopsAndHarmsNothing(_ kilobytes: Int) throws {
        let place = try Workplace()
        try FileManager.default.createDirectory(at: place.store, withIntermediateDirectories: true)
        try runProgram("mount", ["-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", place.store.path])
        defer { _ = try? runProgram("umount", ["-l", place.store.path]) }
        let full = try scenario.start(place).wait()
        #expect(!full.wasKilled && full.code != 0, "\(full)")
        let told = full.output + full.errors
        #expect(told.contains("disk is full") || told.contains("No space left on device"), "\(told)")
        #expect(!told.contains("Fatal error"))

        try runProgram("mount", ["-o", "remount,size=64m", place.store.path])
        try scenario.expectUndisturbedEnd(place)
        #expect(try place.json(["sweep", "status", place.sweep, "--json"] + scenario.settings)["counts"] == ["done": 1])
    }

    /// All that only looks works on a store that cannot be written, index or no index; what writes says why it cannot.
    @Test(.enabled(if: canMount, "needs the right to mount file systems"), arguments: [true, false])
    func aReadOnlyStoreCanBeRead(_ hasIndex: Bool) throws {
        let finished = try finishedSweep.get().place
        let place = try Workplace()
        try FileManager.default.copyItem(at: finished.store, to: place.store)
        if !hasIndex { try FileManager.default.removeItem(at: place.store.appendingPathComponent("index.sqlite")) }
        let expected = try [finished.run("runs", "list", "--csv"), finished.run("compare", finished.sweep, "--csv")]
        try runProgram("mount", ["--bind", place.store.path, place.store.path])
        defer { _ = try? runProgram("umount", ["-l", place.store.path]) }
        try runProgram("mount", ["-o", "remount,ro,bind", place.store.path])

        let listed = try place.run("runs", "list", "--csv")
        #expect(listed.code == 0 && listed.output == expected[0].output, "\(listed)")
        let compared = try place.run("compare", place.sweep, "--csv")
        #expect(compared.code == 0 && compared.output == expected[1].output, "\(compared)")
        for arguments in [
            ["runs", "show", "tiny-prologue-s0"], ["sweep", "status", place.sweep], ["sweep", "plan", place.sweep],
            ["runs", "sql", "SELECT count(*) FROM metrics"], ["gc"],
        ] {
            let ended = try place.start(arguments).wait()
            #expect(ended.code == 0 && !ended.output.isEmpty, "\(arguments): \(ended)")
        }
        for arguments in [["sweep", "run", place.sweep], ["sweep", "run", place.sweep, "--workers", "2"], ["gc", "--yes"]] {
            let ended = try place.start(arguments).wait()
            #expect(ended.code == 2 && ended.errors.contains("read-only"), "\(arguments): \(ended)")
        }
        #expect(FileManager.default.fileExists(atPath: place.store.appendingPathComponent("index.sqlite").path) == hasIndex)
    }

    /// The index goes while a sweep runs: nobody needs it, and it is there again afterwards.
    @Test(arguments: ["deleted", "rubbish", "a folder"])
    func aSweepGoesOnWithoutItsIndex(_ what: String) throws {
        let place = try Workplace()
        let program = try scenario.start(place)
        #expect(place.reaches(20, "tokenizer", program))
        let index = place.store.appendingPathComponent("index.sqlite")
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: index.path + suffix) }
        if what == "rubbish" { try Data(repeating: 0x2A, count: 8192).write(to: index) }
        if what == "a folder" { try FileManager.default.createDirectory(at: index, withIntermediateDirectories: true) }
        let cells = try place.json(["sweep", "status", place.sweep, "--json"] + scenario.settings)
        #expect(cells["counts"] == ["running": 1], "\(cells)")
        let ended = try program.wait()
        #expect(ended.code == 0 && ended.output.contains("1 runs done, 0 failed"), "\(ended)")
        if what == "a folder" {
            #expect(ended.errors.contains("the index is not up to date, runs go on without it"), "\(ended.errors)")
            try FileManager.default.removeItem(at: index)
        }
        let list = try place.json("runs", "list", "--json")
        #expect("\(list)".contains("done"), "\(list)")
        try scenario.expectUndisturbedEnd(place)
    }

    /// Whatever moment indexing is killed at, the index answers as before.
    @Test func killsWhileIndexingChangeNothing() throws {
        let finished = try finishedSweep.get().place
        let place = try Workplace()
        try FileManager.default.copyItem(at: finished.store, to: place.store)
        let dump = """
            import sqlite3, sys
            index = sqlite3.connect(f"file:{sys.argv[1]}/index.sqlite?mode=ro", uri=True)
            tables = "runs run_config metrics stages stage_inputs run_stages artifacts tags notes".split()
            for table in tables:
                names = [c[1] for c in index.execute(f"pragma table_info({table})") if c[1] != "number"]
                print(table, sorted(map(repr, index.execute(f"select {', '.join(names)} from {table}"))))
            """
        #expect(try place.run("runs", "reindex").code == 0)
        let expected = try place.python(dump)
        for round in 0..<8 {
            // Every other time from nothing.
            if round % 2 == 0 { try FileManager.default.removeItem(at: place.store.appendingPathComponent("index.sqlite")) }
            let program = try place.start(["runs", "reindex"])
            Thread.sleep(forTimeInterval: .random(in: 0.005...0.12))
            program.send(SIGKILL)
            _ = try program.wait()
            #expect(try place.run("runs", "list").code == 0)
            let answer = try place.python(dump)
            #expect(answer == expected)
        }
    }

    /// Every look at the clock finds it an hour earlier. Locks, resuming and results do not mind.
    @Test(.enabled(if: backwards != nil, "needs a C compiler"))
    func aClockThatRunsBackwardsChangesNothing() throws {
        let place = try Workplace()
        let clock = ["LD_PRELOAD": try #require(backwards).path]
        for (kind, step) in [("tokenizer", 40), ("prior", 30)] {
            let program = try scenario.start(place, environment: clock)
            #expect(place.reaches(step, kind, program))
            program.send(SIGKILL)
            #expect(try program.wait().wasKilled)
        }
        try scenario.expectUndisturbedEnd(place, environment: clock)
        #expect(try place.log("tokenizer").contains("resuming at step"))
        // The clock did run backwards.
        let record = try #require(place.stages("tokens").first).appendingPathComponent("stage.json")
        let dates = try JSONValue(parsing: Data(contentsOf: record))
        let (started, finished) = (try #require(dates["started"]?.stringValue), try #require(dates["finished"]?.stringValue))
        #expect(finished < started)
    }
}

/// A library that, loaded first, sets the clock back by an hour at every look; nil without a compiler. Clocks that only
/// count on are left alone.
let backwards: URL? = {
    let folder = FileManager.default.temporaryDirectory
    let name = "backwards-\(getpid())"
    let (source, library) = (folder.appendingPathComponent("\(name).c"), folder.appendingPathComponent("\(name).so"))
    let code = """
        #define _GNU_SOURCE
        #include <stdatomic.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        static atomic_long looks;
        int clock_gettime(clockid_t id, struct timespec *t) {
            int status = (int)syscall(SYS_clock_gettime, id, t);
            if (id == CLOCK_REALTIME && status == 0) t->tv_sec -= 3600 * ++looks;
            return status;
        }
        int gettimeofday(struct timeval *t, void *zone) {
            struct timespec now;
            (void)zone;
            clock_gettime(CLOCK_REALTIME, &now);
            t->tv_sec = now.tv_sec;
            t->tv_usec = now.tv_nsec / 1000;
            return 0;
        }
        time_t time(time_t *t) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (t) *t = now.tv_sec;
            return now.tv_sec;
        }
        """
    guard (try? Data(code.utf8).write(to: source)) != nil else { return nil }
    defer { try? FileManager.default.removeItem(at: source) }
    return (try? runProgram("cc", ["-shared", "-fPIC", "-O1", "-o", library.path, source.path])) == nil ? nil : library
}()
