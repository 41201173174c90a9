import Files
import Foundation
import Testing

/// `prologue runs archive`: a study goes on where only the archive is.
@Suite struct ArchiveTests {
    @Test func aStudyGoesOnElsewhereWithWhatIsMissing() throws {
        let place = try Workplace(sweep: tinySweep + "seeds: [0, 1]\n")
        let none = try place.run("runs", "archive", place.sweep)
        #expect(none.code == 2 && none.errors.contains("no store"))
        #expect(try place.run("sweep", "run", place.sweep, "--only", "seed = 0").code == 0)
        let written = try place.run("runs", "archive", place.sweep)
        #expect(written.code == 0 && written.output.contains("2 runs (2 new), 21 stages"), "\(written.errors)")
        #expect(written.output.contains("left out: 2 of 4 runs that are not finished"))
        #expect(try place.run("sweep", "run", place.sweep).code == 0)
        let behind = try place.run("runs", "archive", place.sweep, "--check")
        #expect(behind.code == 1 && behind.errors.contains("2 finished runs of the store are not in it"))
        func scores(_ arguments: String...) throws -> [[String: JSONValue]] {
            let table = try place.json(["compare", place.sweep, "--json", "--metric", "rfid", "--metric", "gfid.nocfg"] + arguments)
            return table["rows"]?.arrayValue?.map { $0.objectValue?.filter { $0.key.contains("fid") || $0.key == "arm" } ?? [:] } ?? []
        }
        let whole = try scores("--archive", "none")
        #expect(whole.count == 2)

        // Another machine: the sweep file and the archive, no store.
        try FileManager.default.moveItem(at: place.store, to: place.folder.appendingPathComponent("away"))
        let note = "scores of 2 of 4 runs are from the archive"
        let compared = try place.run("compare", place.sweep)
        #expect(compared.code == 0 && compared.output.contains(note), "\(compared.errors)")
        let status = try place.run("sweep", "status", place.sweep)
        #expect(status.output.contains("2 planned, 2 done") && status.output.contains(note))
        let plan = try place.json("sweep", "plan", place.sweep, "--json")
        let states = plan["cells"]?.arrayValue?.map { cell in Set(cell["stages"]?.arrayValue?.compactMap { $0["state"]?.stringValue } ?? [])
        }
        #expect(states?.count { $0 == ["archived"] } == 2 && states?.count { $0 == ["missing"] } == 2)
        let run = try place.run("sweep", "run", place.sweep)
        #expect(
            run.code == 0 && run.output.contains("4 runs done (2 of them in the archive), 0 failed; 21 stages worked on"), "\(run.errors)")
        #expect(run.output.contains(note))
        #expect(try scores() == whole)
        let again = try place.run("sweep", "run", place.sweep)
        #expect(again.output.contains("(2 of them in the archive), 0 failed; 0 stages worked on"))

        let archive = place.folder.appendingPathComponent("sweep.runs.zip").path
        let listed = try place.json("runs", "query", "sweep = 'tiny'", "--json", "--archive", archive)["rows"]?.arrayValue ?? []
        #expect(listed.count == 4)
        let id = try #require(listed.compactMap { $0["run"]?.stringValue }.first { $0.contains("s0") })
        let shown = try place.run("runs", "show", id, "--archive", archive)
        #expect(shown.code == 0 && shown.output.contains("archived") && shown.output.contains("rfid@"))
        #expect(try place.run("runs", "show", id).code == 2)
        #expect(try place.run("report", place.sweep).code == 0)
        let report = try String(contentsOf: place.store.appendingPathComponent("reports/tiny/report.md"), encoding: .utf8)
        #expect(report.contains(note))
        // What is removed here is what is here.
        #expect(try place.run("gc").output.contains("0 items"))

        // The union goes into the same file.
        #expect(try place.run("runs", "archive", place.sweep).output.contains("4 runs (2 new), 41 stages"))
        #expect(try place.run("runs", "archive", place.sweep, "--check").code == 0)
        try FileManager.default.removeItem(at: place.store)
        #expect(try scores() == whole)

        try Data("no zip".utf8).write(to: URL(fileURLWithPath: archive))
        let broken = try place.run("compare", place.sweep)
        #expect(broken.code == 2 && broken.errors.contains("sweep.runs.zip"))
    }
}
