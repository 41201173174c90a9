import Files
import Foundation
import RunStore
import TestSupport
import Testing

@Suite struct MetricsFileTests {
    /// Prints the rows of a metrics file as h5py and pandas see them while it may be open in a writer.
    private let show = """
        import h5py, pandas as pd, sys
        with h5py.File(sys.argv[1], 'r', swmr=True) as f:
            n = len(f['step'])
            rows = pd.DataFrame({name: f[name][:n] for name in ['step', 'wall_seconds', *f.attrs['columns']]})
            print(rows.to_csv(index=False), end='')
        """

    @Test func h5pyReadsWhileTheWriterIsOpen() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("metrics.h5")
            let writer = try MetricsFile.create(at: url, columns: ["loss", "accuracy"])
            #expect(try python(show, url.path) == "step,wall_seconds,loss,accuracy")
            try writer.append(step: 1, wallSeconds: 0.5, ["loss": 2.5, "accuracy": 0.25])
            #expect(try python(show, url.path) == "step,wall_seconds,loss,accuracy\n1,0.5,2.5,0.25")
            try writer.append((2...3000).map { MetricsRow(step: $0, wallSeconds: Double($0), values: ["loss": 1]) })
            let lines = try python(show, url.path).split(separator: "\n")
            #expect(lines.count == 3001)
            #expect(lines.last == "3000,3000.0,1.0,")
            try writer.close()
            // Closed properly, so that a plain open works too.
            let units = try python(
                "import h5py,sys; f=h5py.File(sys.argv[1]); print(f['wall_seconds'].attrs['units'], f['step'].dtype)", url.path)
            #expect(units == "s int64")
        }
    }

    @Test func aReaderFollowsAGrowingFile() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("metrics.h5")
            let writer = try MetricsFile.create(at: url, columns: ["loss"])
            try writer.append(step: 1, wallSeconds: 1, ["loss": 1])
            // The reader keeps the file open, says so by making a file, and looks again when the writer has made another.
            let (ready, go) = (folder.appendingPathComponent("ready").path, folder.appendingPathComponent("go").path)
            let seen = try python(
                """
                import h5py, os, sys, time
                f = h5py.File(sys.argv[1], 'r', swmr=True)
                before = f['loss'][:].tolist()
                open(sys.argv[2], 'w').close()
                while not os.path.exists(sys.argv[3]): time.sleep(0.005)
                f['step'].refresh()
                f['loss'].refresh()  # after `step`, which the writer extends last
                print(before, len(f['step']), f['loss'][:].tolist())
                """, [url.path, ready, go]
            ) {
                awaitFile(ready)
                for step in 2...5 { try writer.append(step: step, wallSeconds: Double(step), ["loss": Float(step)]) }
                #expect(FileManager.default.createFile(atPath: go, contents: nil))
            }
            #expect(seen == "[1.0] 5 [1.0, 2.0, 3.0, 4.0, 5.0]")
        }
    }

    @Test func resumeKeepsTheRowsUpToTheStep() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("metrics.h5")
            let first = try MetricsFile.resume(at: url, through: 0, columns: ["loss"])
            #expect(first.last == nil)
            for step in [10, 20, 30, 40] { try first.append(step: step, wallSeconds: Double(step) / 8, ["loss": Float(step)]) }
            try first.sync()
            try first.close()

            let second = try MetricsFile.resume(at: url, through: 25, columns: ["loss"])
            #expect(second.last?.step == 20 && second.last?.wallSeconds == 2.5)
            try second.append(step: 26, wallSeconds: 3, ["loss": 7])
            #expect(
                try python(show, url.path) == "step,wall_seconds,loss\n10,1.25,10.0\n20,2.5,20.0\n26,3.0,7.0")
            let table = try MetricsFile.read(url)
            #expect(table.steps == [10, 20, 26] && table.values["loss"] == [10, 20, 7] && table.wallSeconds == [1.25, 2.5, 3])

            let changed = try MetricsFile.resume(at: url, through: 25, columns: ["loss", "new"])
            // A column that an earlier version did not have was not measured.
            try changed.append(step: 26, wallSeconds: 3, ["loss": 7, "new": 1])
            let grown = try MetricsFile.read(url)
            #expect(grown.columns == ["loss", "new"] && grown.values["loss"] == [10, 20, 7])
            #expect(try #require(grown.values["new"]).map(\.isNaN) == [true, true, false])
        }
    }

    @Test func aDamagedFileIsNamed() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("metrics.h5")
            let writer = try MetricsFile.create(at: url, columns: ["loss"])
            try writer.append((1...5000).map { MetricsRow(step: $0, wallSeconds: 0, values: ["loss": 1]) })
            try writer.close()
            let whole = try Data(contentsOf: url)
            for kept in [0, 30, 400, whole.count / 2] {
                try whole.prefix(kept).write(to: url)
                let error = try #require(throws: InputError.self) { _ = try MetricsFile.resume(at: url, through: 9, columns: ["loss"]) }
                #expect(error.message.hasPrefix(url.path) && error.isDamage, "\(error)")
            }
        }
    }

    /// A child process is really killed, at a random moment of appending; the next one goes on from the last row that
    /// it finds, as a training loop goes on from its checkpoint.
    @Test func everyAppendedRowSurvivesKillNine() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appendingPathComponent("metrics.h5").path
            var kept = 0
            for round in 0..<20 {
                await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, kept = kept as Int, round = round as Int] in
                    let url = URL(fileURLWithPath: path)
                    let writer = try MetricsFile.resume(at: url, through: kept, columns: ["loss", "round"])
                    DispatchQueue.global().asyncAfter(deadline: .now() + .microseconds(Int.random(in: 500...60_000))) {
                        kill(getpid(), SIGKILL)
                    }
                    var step = kept
                    while true {
                        step += 1
                        try writer.append(step: step, wallSeconds: Double(step), ["loss": Float(step) / 2, "round": Float(round)])
                        // What has been appended by the time this file is there must be found afterwards.
                        _ = FileManager.default.createFile(atPath: path + ".\(step)", contents: nil)
                    }
                }
                let table = try MetricsFile.read(URL(fileURLWithPath: path))
                let promised =
                    try FileManager.default.contentsOfDirectory(atPath: folder.path)
                    .compactMap { name in name.hasPrefix("metrics.h5.") ? Int(name.dropFirst(11)) : nil }.max() ?? 0
                #expect(table.steps.count >= promised)
                #expect(table.steps == table.steps.indices.map { Int64($0) + 1 })
                #expect(table.values["loss"] == table.steps.map { Float($0) / 2 })
                #expect(table.wallSeconds == table.steps.map(Double.init))
                kept = table.steps.count
            }
            #expect(try python(show, path).split(separator: "\n").count == kept + 1)
            #expect(kept > 20)
        }
    }
}
