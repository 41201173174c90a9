import Files
import Foundation
import RunStore
import TestSupport
import Testing

/// Stores on file systems that several hosts share. The variables that say so are the whole process's, so each test is one.
@Suite struct SharedStoreTests {
    /// An index for each host, outside of the store; each comes to know what the others have changed, and reads no more than that.
    @Test func eachHostsIndexFollowsTheFiles() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path
            await #expect(processExitsWith: .success) { [path = path as String] in
                setenv("PROLOGUE_SHARED_STORE", "1", 1)
                let folder = URL(fileURLWithPath: path)
                func require(_ holds: Bool, _ what: @autoclosure () -> String) throws {
                    if holds { return }
                    // The test reads it: what this process says last is not shown.
                    try Data(what().utf8).write(to: folder.appendingPathComponent("failure"))
                    throw InputError(what())
                }
                let example = try ExampleStore(in: folder.appendingPathComponent("store"))
                let store = example.store
                let warnings = Warnings()
                func open(_ host: String) throws -> (index: RunIndex, file: URL) {
                    setenv("XDG_CACHE_HOME", folder.appendingPathComponent(host).path, 1)
                    return (try RunIndex(store, warning: warnings.add), store.indexFile)
                }
                var fresh = 0
                func expectAgreement(_ file: URL, _ what: String) throws {
                    fresh += 1
                    // The last line counts settings too that no run has any more.
                    func lines(_ file: URL) throws -> ArraySlice<Substring> { try example.dump(file).split(separator: "\n").dropLast() }
                    let (expected, found) = (try lines(open("fresh\(fresh)").file), try lines(file))
                    try require(found == expected, "\(what): \(Set(found).symmetricDifference(expected))")
                }
                let (a, b) = (try open("a"), try open("b"))
                try require(a.file != b.file && a.file.path.hasPrefix(path + "/a/prologue/index/"), "another place")
                let isInStore = try isPresent(example.indexFile)
                try require(!isInStore, "one writer or none in the shared folder")
                try expectAgreement(b.file, "at first")

                // One host goes on: a status, tags, a stage, a run, and a run less.
                try store.setStatus(Status(.failed, step: 3, message: "no"), ofRun: example.runs[0].id)
                try store.annotate(run: example.runs[1].id) { $0.tags = ["late"] }
                let prior = StageIdentity(kind: "prior", settings: ["seed": 9], inputs: ["tokens": example.tokenizer], formatVersion: 1)
                _ = try? store.perform(prior) { _ in throw Interrupted() }
                var run = example.runs[1]
                run = RunRecord(
                    sweep: "other", cell: "", seed: 3, config: ["seed": 3], stages: ["prior": prior.id],
                    codeVersion: run.codeVersion, machine: run.machine)
                try store.save(run)
                try b.index.follow()
                try expectAgreement(b.file, "after changes")
                _ = try store.perform(prior, code: run.codeVersion, machine: run.machine) { work in
                    try work.save(Scores(protocol: ["n": 1], values: ["gfid.nocfg": 3]), named: "fashion-cnn")
                    return [:]
                }
                try FileManager.default.removeItem(at: store.directory(ofRun: example.runs[0].id))
                try FileManager.default.removeItem(at: store.stage(id: example.priors[0]).directory)
                try b.index.follow()
                try expectAgreement(b.file, "after a stage was made, and others went")
                let values = try b.index.metrics(for: run.id).map(\.value)
                try require(values == [3], "its score")
                try a.index.follow()
                try expectAgreement(a.file, "the first host")

                // What has not changed for a while is not read: a change that no folder shows stays unknown.
                let record = store.directory(ofRun: run.id)
                let long: [FileAttributeKey: Any] = [.modificationDate: Date(timeIntervalSinceNow: -7200)]
                for name in ["runs", "stages"] {
                    let folder = store.directory.appendingPathComponent(name)
                    for item in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
                        try FileManager.default.setAttributes(long, ofItemAtPath: folder.appendingPathComponent(item).path)
                    }
                }
                try b.index.follow()
                // Each new index has said that it was made.
                let before = warnings.all.count
                try require(warnings.all.allSatisfy { $0.contains("made again from the store's files") }, "\(warnings.all)")
                let file = try FileHandle(forWritingTo: record.appendingPathComponent("run.json"))
                try file.write(contentsOf: Data("x".utf8))
                try b.index.follow()
                try require(warnings.all.count == before, "\(warnings.all)")
                try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -7000)], ofItemAtPath: record.path)
                try b.index.follow()
                try require(warnings.all.count == before + 1 && warnings.all.last!.contains("run.json"), "\(warnings.all)")
            }
            let failure = try? String(contentsOf: folder.appendingPathComponent("failure"), encoding: .utf8)
            #expect(failure == nil)
        }
    }

    /// Whoever opens the curves at any moment, as a growing file or as one that stands still, finds whole rows.
    @Test func h5pyReadsCurvesThatAreReplaced() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path
            await #expect(processExitsWith: .success) { [path = path as String] in
                setenv("PROLOGUE_SHARED_STORE", "1", 1)
                let url = URL(fileURLWithPath: path).appendingPathComponent("metrics.h5")
                let (begun, done) = (path + "/begun", path + "/done")
                let metrics = try MetricsFile.create(at: url, columns: ["loss", "l1"])
                let seen = try python(
                    """
                    import h5py, os, sys
                    lengths = []
                    while True:
                        last = os.path.exists(sys.argv[3])
                        for swmr in (True, False):
                            with h5py.File(sys.argv[1], "r", swmr=swmr) as f:
                                n = len(f["step"])
                                assert f["step"][:].tolist() == list(range(n)) and list(f.attrs["columns"]) == ["loss", "l1"]
                                for c in ("wall_seconds", "loss", "l1"): assert len(f[c]) == n and (f[c][:] == f["step"][:]).all()
                                lengths.append(n)
                        open(sys.argv[2], "w").close()
                        if last: break
                    assert lengths == sorted(lengths)
                    print(lengths[-1], len(set(lengths)) > 2)
                    """, [url.path, begun, done],
                    while: {
                        awaitFile(begun)
                        for step in 0..<200 {
                            try metrics.append(step: step, wallSeconds: Double(step), ["loss": Float(step), "l1": Float(step)])
                            if step % 10 == 9 {
                                try metrics.sync()
                                usleep(50_000)
                            }
                        }
                        try metrics.append(step: 200, wallSeconds: 200, ["loss": 200, "l1": 200])
                        try metrics.close()
                        try Data().write(to: URL(fileURLWithPath: done))
                    })
                precondition(seen == "201 True", "\(seen)")
            }
        }
    }

    /// A kill loses the rows since the last checkpoint, whose steps are done again, and no other.
    @Test func aKillLosesNoRowThatACheckpointCovers() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                setenv("PROLOGUE_SHARED_STORE", "1", 1)
                let metrics = try MetricsFile.create(
                    at: URL(fileURLWithPath: path).appendingPathComponent("metrics.h5"), columns: ["loss"])
                for step in 0..<30 {
                    try metrics.append(step: step, wallSeconds: 1, ["loss": Float(step)])
                    if step == 24 { try metrics.sync() }
                }
                kill(getpid(), SIGKILL)
            }
            let url = folder.appendingPathComponent("metrics.h5")
            let rows = try python("import h5py, sys; print(h5py.File(sys.argv[1])['step'][:].tolist() == list(range(25)))", url.path)
            #expect(rows == "True")
            let metrics = try MetricsFile.resume(at: url, through: 19, columns: ["loss"])
            try metrics.append(step: 20, wallSeconds: 1, ["loss": 7])
            try metrics.close()
            #expect(try MetricsFile.read(url).steps == Array(0...20))
        }
    }
}
