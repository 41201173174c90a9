import Experiment
import Files
import Foundation
import ImageData
import RunStore
import Sweep
import TestSupport
import Testing

/// What is kept for speed alone: a changed digit in it is noticed, said, and made again; what earlier versions kept is read.
@Suite struct CacheTests {
    /// Collects what is said.
    private final class Ears: ProgressReporter {
        var heard: [String] = []
        func note(_ line: String) { heard.append(line) }
        func update(_ progress: StageProgress) {}
        func finish(lane: Int) {}
    }

    /// The file of the store's `data/` whose name begins so, and what a plan with `settings` says.
    private func plan(_ place: Place, _ settings: [String]) throws -> (ids: [String], heard: [String]) {
        let ears = Ears()
        let file = place.folder.appendingPathComponent("sweep.yaml")
        try Data(toySettings.utf8).write(to: file)
        let runner = SweepRunner(
            try SweepFile(loading: file, overrides: settings + ["data.train_count=null", "data.test_count=null"]),
            ExperimentContext(store: place.store, code: .unknown, machine: .current(), progress: ears))
        return (try runner.plan().cells.flatMap { $0.stages.map(\.id) }, ears.heard)
    }

    private func cache(_ place: Place, _ prefix: String) throws -> URL {
        let folder = place.store.directory.appendingPathComponent("data")
        return folder.appendingPathComponent(
            try #require(FileManager.default.contentsOfDirectory(atPath: folder.path).first { $0.hasPrefix(prefix) }))
    }

    private func expectNoticed(_ place: Place, _ settings: [String], _ prefix: String, older: (String) throws -> String) throws {
        let first = try plan(place, settings)
        #expect(first.heard.isEmpty, "\(first.heard)")
        let file = try cache(place, prefix)
        let whole = try String(contentsOf: file, encoding: .utf8)
        // A digit of a digest: without the checksum every stage would get another name.
        let digit = try #require(whole.firstMatch(of: /[0-9a-f]{64}/)?.range.lowerBound)
        var damaged = whole
        damaged.replaceSubrange(digit...digit, with: whole[digit] == "0" ? "1" : "0")
        for text in [damaged, String(whole.dropLast(5)), "", "\0\0\0"] {
            try Data(text.utf8).write(to: file)
            let again = try plan(place, settings)
            #expect(again.ids == first.ids)
            #expect(
                again.heard.count == 1 && again.heard[0].contains(file.lastPathComponent) && again.heard[0].contains("again"),
                "\(text): \(again.heard)")
            #expect(try String(contentsOf: file, encoding: .utf8) == whole)
        }
        try Data(older(whole).utf8).write(to: file)
        let old = try plan(place, settings)
        #expect(old.ids == first.ids && old.heard.isEmpty, "\(old.heard)")
    }

    @Test func surveysOfPictures() throws {
        let place = try Place()
        for half in ["train", "test"] {
            for name in ["a", "b"] {
                let folder = place.folder.appendingPathComponent("pictures/\(half)/\(name)")
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                for i in 0..<3 {
                    let pixels = (0..<16 * 16 * 3).map { UInt8(($0 * (i + 2)) % 251) }
                    try PNG.write(
                        Picture(height: 16, width: 16, channels: 3, pixels: pixels), to: folder.appendingPathComponent("\(i).png"))
                }
            }
        }
        let settings = ["data.set=image-folder", "data.path=\(place.folder.path)/pictures"]
        try expectNoticed(place, settings, "survey-") { whole in
            let lines = whole.split(separator: "\n").dropLast()
            return (["prologue picture survey 1"] + lines.dropFirst().map(String.init)).joined(separator: "\n") + "\n"
        }
    }

    @Test func digestsOfLargeFiles() throws {
        let place = try Place()
        let file = place.folder.appendingPathComponent("data.h5")
        try python(
            """
            import h5py, numpy as np, sys
            with h5py.File(sys.argv[1], "w") as f:
                f["images"] = np.arange(40 * 256 * 3, dtype="u1").reshape(40, 16, 16, 3)
                f["labels"] = np.arange(40) % 2
            """, file.path)
        try expectNoticed(place, ["data.set=image-hdf5", "data.path=\(file.path)"], "digest-") { whole in
            var members = try #require(try JSONValue(parsing: Data(whole.utf8)).objectValue)
            members["sha256"] = members.removeValue(forKey: "digest")
            return JSONValue.object(members).canonical
        }
    }

    /// What a sweep was last made of, and the machine's rate.
    @Test func outlooksAndRates() throws {
        let place = try Place()
        #expect(try place.runner().run(upTo: "features").failed.isEmpty)
        let sweep = try SweepFile(loading: place.folder.appendingPathComponent("sweep.yaml"))
        #expect(try SweepStatus(of: sweep, in: place.store).notes.isEmpty)
        let outlook = place.store.directory.appendingPathComponent("sweeps/sharing.json")
        let whole = try String(contentsOf: outlook, encoding: .utf8)
        try Data(whole.replacing("features-", with: "feetures-").utf8).write(to: outlook)
        let notes = try SweepStatus(of: sweep, in: place.store).notes
        #expect(notes.count == 1 && notes[0].contains("sharing.json") && notes[0].contains("writes it anew"), "\(notes)")
        // Those of earlier versions, without a checksum.
        try python(
            "import json, sys; d = json.load(open(sys.argv[1])); d.pop('sha256'); json.dump(d, open(sys.argv[1], 'w'))", outlook.path)
        #expect(try SweepStatus(of: sweep, in: place.store).notes.isEmpty)
        try Data("{".utf8).write(to: outlook)
        #expect(try place.runner().run(upTo: "features").failed.isEmpty)
        #expect(try SweepStatus(of: sweep, in: place.store).notes.isEmpty)

        var heard: [String] = []
        let rate = MachineRate(of: .current(), in: place.store) { heard.append($0) }.flopsPerSecond
        #expect(rate > 0 && heard.isEmpty)
        let kept = try cache(place, "machine-rate")
        let text = try String(contentsOf: kept, encoding: .utf8)
        let known = try #require(try JSONValue(parsing: Data(text.utf8)).objectValue).filter { $0.key != "sha256" }
        #expect(known.count == 1)
        try Data(text.replacing(": \(Int(rate))", with: ": \(Int(rate) + 1)").utf8).write(to: kept)
        let measured = MachineRate(of: .current(), in: place.store) { heard.append($0) }.flopsPerSecond
        #expect(measured > 0 && heard.count == 1 && heard[0].contains("machine-rate.json"), "\(heard)")
        try Data(JSONValue.object(known.mapValues { _ in 12_345 }).canonical.utf8).write(to: kept)
        #expect(MachineRate(of: .current(), in: place.store) { heard.append($0) }.flopsPerSecond == 12_345 && heard.count == 1)
    }
}
