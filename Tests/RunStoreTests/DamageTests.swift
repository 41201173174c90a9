import Files
import Foundation
import RunStore
import TestSupport
import Testing

/// Files that are not what was written are found; files that cannot be read now are not taken for such.
@Suite struct DamageTests {
    private let identity = StageIdentity(kind: "samples", settings: ["count": 4], formatVersion: 1)

    /// A stage with a file of every kind that others read.
    private func make(in store: Store) throws -> StageHandle {
        try store.perform(identity) { work in
            try HDF5File.write(atomicallyTo: work.url("samples.h5")) { try $0.write((0..<1000).map(Float.init), to: "x", shape: [1000]) }
            try SafetensorsFile.write([("w", [3], .float32([1, 2, 3]))], to: work.url("model.safetensors"))
            try work.save(Scores(protocol: ["n": 5], values: ["gfid": 12.375]), named: "cnn")
            try Data("picture".utf8).write(to: work.url("samples.png"))
            let metrics = try MetricsFile.create(at: work.url("metrics.h5"), columns: ["loss"])
            try metrics.append(step: 0, wallSeconds: 1, ["loss": 2])
            try metrics.close()
            return [:]
        }.stage
    }

    private static let files = ["samples.h5", "model.safetensors", "scores/cnn.json", "samples.png"]

    /// One bit anywhere in any file that others read.
    @Test(arguments: files) func oneBitIsNoticedAndMadeAgain(_ path: String) throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let stage = try make(in: store)
            let whole = try Data(contentsOf: stage.url(path))
            for place in Set(
                [0, 1, whole.count / 3, whole.count / 2, whole.count - 100, whole.count - 1].filter { whole.indices.contains($0) })
            {
                var damaged = whole
                damaged[place] ^= 4
                try damaged.write(to: stage.url(path))
                // The seal of an HDF5 file is not content: without it the content is compared with the record.
                if path.hasSuffix(".h5"), place >= whole.count - 73 { continue }
                let told = try inputError { _ = try stage.verified(path) }
                #expect(told.contains(stage.url(path).path) && told.contains("makes \(stage.id) again"), "\(told)")
                if path.hasPrefix("scores") { #expect(try inputError { _ = try stage.measurements() }.contains("checksum")) }
                #expect(try store.completed(store.stage(identity)) == nil)
                #expect(try !store.perform(identity) { _ in [:] }.isReused)
                let log = try String(contentsOf: stage.url("log.txt"), encoding: .utf8)
                #expect(log.contains("made again: \(stage.url(path).path)"), "\(log)")
                // The work of this test leaves the damaged file; all of it is put back.
                try FileManager.default.removeItem(at: stage.directory)
                _ = try make(in: store)
                #expect(try Data(contentsOf: stage.url(path)) == whole && stage.verified(path) == stage.url(path))
            }
        }
    }

    /// Curves are not worth training again for, but nobody is shown wrong ones.
    @Test func damagedCurvesAreRefusedAlone() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let stage = try make(in: store)
            var data = try Data(contentsOf: stage.url("metrics.h5"))
            data[data.count - 5] ^= 1
            try data.write(to: stage.url("metrics.h5"))
            #expect(try inputError { _ = try stage.verified("metrics.h5") }.contains("metrics.h5"))
            #expect(try store.perform(identity) { _ in [:] }.isReused)
        }
    }

    /// A notebook that opens a finished file for writing and closes it has cut the seal off and changed nothing: the stage
    /// stays. One that has changed a value has made another file of it.
    @Test func aFileOpenedForWritingIsStillTheSame() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let stage = try make(in: store)
            let file = stage.url("samples.h5").path
            let length = try Data(contentsOf: stage.url("samples.h5")).count
            try python("import h5py, sys; h5py.File(sys.argv[1], 'r+').close()", file)
            #expect(try Data(contentsOf: stage.url("samples.h5")).count < length, "h5py leaves the seal alone by now")
            #expect(try store.perform(identity) { _ in [:] }.isReused && stage.verified("samples.h5").path == file)
            try python("import h5py, sys\nwith h5py.File(sys.argv[1], 'r+') as f: f['x'][3] = 7", file)
            #expect(try inputError { _ = try stage.verified("samples.h5") }.contains("is not what was written"))
            #expect(try !store.perform(identity) { _ in [:] }.isReused)
        }
    }

    /// A record of an earlier version has lengths and no checksums, and no line at its end.
    @Test func recordsWithoutChecksumsStayValid() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let stage = try make(in: store)
            let paths = [stage.url("stage.json").path, stage.url("scores/cnn.json").path, stage.url("status.json").path]
            try python(
                """
                import json, sys
                for path in sys.argv[1:]:
                    record = json.load(open(path))
                    record.pop("sha256"), record.pop("sha256_of_files", None)
                    open(path, "w").write(json.dumps(record, indent=2, sort_keys=True) + "\\n")
                scores = json.load(open(sys.argv[1]))["files"]
                """, paths[0], paths[1], paths[2])
            // Its length was another one, too.
            try python(
                """
                import json, os, sys
                record = json.load(open(sys.argv[1]))
                record["files"]["scores/cnn.json"] = os.path.getsize(sys.argv[2])
                json.dump(record, open(sys.argv[1], "w"))
                """, paths[0], paths[1])
            #expect(try store.perform(identity) { _ in [:] }.isReused)
            #expect(try stage.scores()["cnn"]?.values == ["gfid": 12.375])
            // What a reader would refuse is made again here, too.
            let scores = try String(contentsOfFile: paths[1], encoding: .utf8)
            try Data(scores.replacingOccurrences(of: "{", with: "[").utf8).write(to: URL(fileURLWithPath: paths[1]))
            #expect(try !store.perform(identity) { _ in [:] }.isReused)
        }
    }

    /// The checksum at the end of a record is that of the text without it, for others to compute.
    @Test func othersCanCheckARecord() throws {
        try withTemporaryFolder { folder in
            let stage = try make(in: Store(directory: folder))
            let answer = try python(
                """
                import hashlib, json, re, sys
                for path in sys.argv[1:]:
                    text = open(path).read()
                    rest = re.sub(r',\\n  "sha256": "[0-9a-f]{64}"\\n}\\n$', "\\n}\\n", text)
                    print(rest != text and hashlib.sha256(rest.encode()).hexdigest() == json.loads(text)["sha256"])
                record, folder = json.load(open(sys.argv[1])), sys.argv[1].rsplit("/", 1)[0]
                for name, digest in sorted(record["sha256_of_files"].items()):
                    data = open(f"{folder}/{name}", "rb").read()
                    if data[-73:-65] == b"\\nsha256 ": data = data[:-73]
                    print(name, hashlib.sha256(data).hexdigest() == digest)
                """, stage.url("stage.json").path, stage.url("scores/cnn.json").path)
            #expect(
                answer == "True\nTrue\nmetrics.h5 True\nmodel.safetensors True\nsamples.h5 True\nsamples.png True\nscores/cnn.json True")
        }
    }

    /// Another program holds the file open for writing: that is no damage, and says so.
    @Test(arguments: ["metrics.h5", "checkpoint.h5"]) func aLockIsNoDamage(_ name: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent(name)
            func read() throws {
                if name == "metrics.h5" { _ = try MetricsFile.read(url) } else { _ = try Checkpoint(reading: url) }
            }
            if name == "metrics.h5" {
                try MetricsFile.create(at: url, columns: ["loss"]).close()
            } else {
                try Checkpoint(tensors: ["w": HDF5Array(shape: [2], values: [1, 2])]).write(to: url)
            }
            let (ready, done) = (folder.appendingPathComponent("ready").path, folder.appendingPathComponent("done").path)
            _ = try python(
                """
                import h5py, os, sys, time
                with h5py.File(sys.argv[1], "r+") as f:
                    open(sys.argv[2], "w").close()
                    while not os.path.exists(sys.argv[3]): time.sleep(0.01)
                """, [url.path, ready, done]
            ) {
                awaitFile(ready)
                let error = try #require(throws: InputError.self, performing: read)
                #expect(!error.isDamage && error.message.contains("another program has it open for writing"), "\(error)")
                _ = FileManager.default.createFile(atPath: done, contents: nil)
            }
            try read()
            // What is there and is wrong is damage.
            try Data(repeating: 1, count: 4000).write(to: url)
            #expect(try #require(throws: InputError.self, performing: read).isDamage)
        }
    }

    /// Lists have a checksum like other records, and those of earlier versions, which stand by themselves, are read.
    @Test func listsOfPicturesAreChecked() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let run = RunRecord(sweep: "s", cell: "c", seed: 0, config: ["a": 1], codeVersion: .unknown, machine: .current())
            try store.save(run)
            let file = store.directory(ofRun: run.id).appendingPathComponent("artifacts.json")
            let pictures = [Artifact(kind: "picture", path: "stages/samples-1/samples.png", description: "samples")]
            try store.setArtifacts(pictures, ofRun: run.id)
            #expect(try store.artifacts(ofRun: run.id) == pictures)
            let sealed = try String(contentsOf: file, encoding: .utf8)
            try Data(sealed.replacing("samples-1", with: "samples-2").utf8).write(to: file)
            let error = try #require(throws: InputError.self) { try store.artifacts(ofRun: run.id) }
            #expect(error.isDamage && error.message.contains("artifacts.json") && error.message.contains("checksum"))
            // No score depends on it: the run is there, without pictures, and that is said.
            let entry = try #require(try store.entry(ofRun: run.id))
            #expect(entry.run.id == run.id && entry.artifacts.isEmpty && entry.damage?.contains("artifacts.json") == true)
            let plain = try JSONValue(parsing: Data(sealed.utf8))["entries"]
            try Data(try #require(plain).canonical.utf8).write(to: file)
            #expect(try store.artifacts(ofRun: run.id) == pictures && store.entry(ofRun: run.id)?.damage == nil)
            try store.setArtifacts([], ofRun: run.id)
            #expect(try store.artifacts(ofRun: run.id).isEmpty)
        }
    }

    /// A program is killed while it has the file open for writing. HDF5's mark of that stays, and the library refuses the file;
    /// whether its content is whole is another question.
    @Test(arguments: ["", "f.flush()", "f.attrs['seen'] = 1", "f.attrs['seen'] = 1; f.flush()", "f['tensors/w'][0] = 7; f.flush()"])
    func aKilledWriterIsNoDamage(_ deed: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("checkpoint.h5")
            let whole = Checkpoint(tensors: ["w": HDF5Array(shape: [200], values: (0..<200).map(Float.init))], counters: ["step": 7])
            try whole.write(to: url)
            let mark = try python(
                """
                import h5py, os, signal, subprocess, sys
                if len(sys.argv) > 2:
                    f = h5py.File(sys.argv[1], "r+")
                    exec(sys.argv[2])
                    os.kill(os.getpid(), signal.SIGKILL)
                child = subprocess.run([sys.executable, __file__, sys.argv[1], DEED])
                print(-child.returncode, open(sys.argv[1], "rb").read(12)[11])
                try: h5py.File(sys.argv[1])
                except OSError as error: print("refused" if "already open" in str(error) else error)
                """.replacing("DEED", with: "\"\(deed) \""), url.path)
            #expect(mark == "9 1\nrefused", "h5py or HDF5 no longer leaves a mark")
            if deed.contains("tensors") {
                #expect(try #require(throws: InputError.self) { try Checkpoint(reading: url) }.isDamage)
            } else {
                #expect(try Checkpoint(reading: url) == whole)
                #expect(try python("import h5py, sys; print(h5py.File(sys.argv[1])['counters/step'][()])", url.path) == "7")
            }
        }
    }

    /// The same of a finished stage's file and of growing metrics.
    @Test func aKilledWriterOfAStagesFilesIsNoDamage() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let stage = try make(in: store)
            func killed(_ name: String) throws {
                _ = try python(
                    """
                    import os, signal, subprocess, sys
                    code = "import h5py, os, sys; f = h5py.File(sys.argv[1], 'r+'); os.kill(os.getpid(), 9)"
                    assert subprocess.run([sys.executable, "-c", code, sys.argv[1]]).returncode == -9
                    """, stage.url(name).path)
            }
            try killed("samples.h5")
            #expect(try stage.damage() == nil)
            _ = try HDF5File(reading: stage.verified("samples.h5"))
            let metrics = folder.appendingPathComponent("growing.h5")
            let file = try MetricsFile.create(at: metrics, columns: ["loss"])
            try file.append(step: 0, wallSeconds: 1, ["loss": 2])
            try file.close()
            _ = try python(
                "import h5py, os, subprocess, sys\nif len(sys.argv) > 2: f = h5py.File(sys.argv[1], 'r+'); os.kill(os.getpid(), 9)\n"
                    + "subprocess.run([sys.executable, __file__, sys.argv[1], 'x'])", metrics.path)
            #expect(throws: InputError.self) { try MetricsFile.read(metrics) }
            let resumed = try MetricsFile.resume(at: metrics, through: 0, columns: ["loss"])
            try resumed.close()
            #expect(try MetricsFile.read(metrics).values["loss"] == [2])
        }
    }

    /// A run's id stands for its settings. Two of one id are an error, and the first stays.
    @Test func aRunIsNotOverwrittenByAnother() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            func run(_ config: JSONValue, id: String? = nil) -> RunRecord {
                RunRecord(sweep: "s", cell: "c", seed: 0, config: config, codeVersion: .unknown, machine: .current(), id: id)
            }
            let first = run(["dim": 1])
            #expect(first.id.wholeMatch(of: /s-c-s0-[0-9a-f]{12}/) != nil)
            try store.save(first)
            try store.save(first)
            #expect(try inputError { try store.save(run(["dim": 2], id: first.id)) }.contains("other settings"))
            #expect(try store.run(first.id).config == ["dim": 1])
        }
    }
}
