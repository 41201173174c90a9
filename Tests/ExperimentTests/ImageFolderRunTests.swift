import Experiment
import Files
import Foundation
import ImageData
import RunStore
import Sweep
import Testing

/// A few steps of everything on pictures from a folder.
@Suite struct ImageFolderRunTests {
    /// Tells what was noted.
    private final class Notes: ProgressReporter {
        private(set) var lines: [String] = []
        func note(_ line: String) { lines.append(line) }
        func update(_ progress: StageProgress) {}
        func finish(lane: Int) {}
    }

    /// Two classes of plain pictures, and a file that is no picture.
    private static func pictures(_ root: URL) throws {
        for (half, count) in [("train", 40), ("test", 20)] {
            for name in ["cold", "warm"] {
                let place = root.appendingPathComponent("\(half)/\(name)")
                try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
                for i in 0..<count {
                    let colour = [UInt8(5 * i), 128, 0]
                    let pixels = (0..<18 * 20).flatMap { _ in name == "warm" ? colour : colour.reversed() }
                    try PNG.write(
                        pixels: pixels, height: 18, width: 20, channels: 3, to: place.appendingPathComponent("\(i).png"))
                }
            }
        }
        try Data("no picture".utf8).write(to: root.appendingPathComponent("train/warm/notes.txt"))
    }

    @Test func aFolderOfPicturesTrainsAndIsScored() throws {
        let place = try Place()
        let root = place.folder.appendingPathComponent("pictures")
        try Self.pictures(root)
        let file = place.folder.appendingPathComponent("sweep.yaml")
        try Data(toySettings.utf8).write(to: file)
        let notes = Notes()
        func runner(_ more: String...) throws -> SweepRunner {
            let set = ["data.set=image-folder", "data.path=\(root.path)"] + more
            return SweepRunner(
                try SweepFile(loading: file, overrides: set),
                ExperimentContext(store: place.store, code: .unknown, machine: .current(), progress: notes))
        }
        #expect(throws: InputError.self, "notes.txt is no picture") { try runner().run() }
        let result = try runner("data.broken=skip").run()
        #expect(result.done.count == 1 && result.failed.isEmpty)
        #expect(notes.lines.contains { $0 == "data: files skipped as no readable pictures: 1" })
        let grey = try runner("data.broken=skip", "data.channels=1").plan().cells[0]
        #expect(grey.stages.allSatisfy { $0.isWork }, "grey pictures are other data")
    }
}
