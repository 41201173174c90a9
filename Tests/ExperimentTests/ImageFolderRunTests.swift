import Experiment
import Files
import Foundation
import ImageData
import RunStore
import Sweep
import TestSupport
import Testing

/// A few steps of everything on pictures from a folder, a zip file and an HDF5 file.
@Suite struct ImageFolderRunTests {
    /// Tells what was noted.
    private final class Notes: ProgressReporter {
        private(set) var lines: [String] = []
        func note(_ line: String) { lines.append(line) }
        func update(_ progress: StageProgress) {}
        func finish(lane: Int) {}
    }

    /// Two classes of pictures of two colours, and a file that is no picture.
    private static func pictures(_ root: URL) throws {
        for (half, count) in [("train", 40), ("test", 20)] {
            for name in ["cold", "warm"] {
                let place = root.appendingPathComponent("\(half)/\(name)")
                try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
                for i in 0..<count { try picture(i, isWarm: name == "warm").write(place.appendingPathComponent("\(i).png")) }
            }
        }
        try Data("no picture".utf8).write(to: root.appendingPathComponent("train/warm/notes.txt"))
    }

    private static func picture(_ i: Int, isWarm: Bool) -> Picture {
        let colour = [UInt8(5 * i), 128, 0]
        let pixels = (0..<18 * 20).flatMap { p in (isWarm ? colour : colour.reversed()).map { p % 20 < 7 ? $0 : $0 / 2 } }
        return Picture(height: 18, width: 20, channels: 3, pixels: pixels)
    }

    private let place: Place
    private let root: URL
    private let notes = Notes()

    init() throws {
        place = try Place()
        root = place.folder.appendingPathComponent("pictures")
        try Self.pictures(root)
    }

    private func runner(_ set: [String], in store: Store? = nil) throws -> SweepRunner {
        let file = place.folder.appendingPathComponent("sweep.yaml")
        try Data(toySettings.utf8).write(to: file)
        return SweepRunner(
            try SweepFile(loading: file, overrides: set),
            ExperimentContext(store: store ?? place.store, code: .unknown, machine: .current(), progress: notes))
    }

    private var folder: [String] { ["data.set=image-folder", "data.path=\(root.path)", "data.broken=skip"] }

    @Test func aFolderOfPicturesTrainsAndIsScored() throws {
        let strict = ["data.set=image-folder", "data.path=\(root.path)"]
        #expect(throws: InputError.self, "notes.txt is no picture") { try runner(strict).run() }
        let result = try runner(folder).run()
        #expect(result.done.count == 1 && result.failed.isEmpty)
        #expect(notes.lines.contains { $0 == "data: files skipped as no readable pictures: 1" })
        let grey = try runner(folder + ["data.channels=1"]).plan().cells[0]
        #expect(grey.stages.allSatisfy { $0.isWork }, "grey pictures are other data")
        // The stages that read the data say how many files they did without.
        let counted = try runner(folder).plan().cells[0].stages.filter { stage in
            try place.store.stage(id: stage.id).record?.summary["skipped_files"]?.intValue == 1
        }
        #expect(Set(counted.map(\.role)) == ["features", "tokenizer", "tokens"])
    }

    /// A class without held-out images is named when the data are read; one without training images is an error.
    @Test func classesWithoutImagesAreNamed() throws {
        _ = try runner(folder + ["data.test_count=1"]).plan()
        #expect(
            notes.lines.contains { $0.contains("1 of 2 classes have no held-out image: 'warm'") && $0.contains(root.path) },
            "\(notes.lines)")
        let message = try #require(throws: InputError.self) { _ = try runner(folder + ["data.train_count=1"]).plan() }.message
        #expect(message.contains(root.path) && message.contains("class 'warm' has no training image"), "\(message)")
    }

    /// The same pictures in a zip file are the same data: everything is there already.
    @Test func aZipOfPicturesIsTheSameData() throws {
        let zip = place.folder.appendingPathComponent("pictures.zip")
        _ = try python(
            """
            import os, sys, zipfile
            with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as z:
                for d, _, files in os.walk(sys.argv[1]):
                    for f in files: z.write(os.path.join(d, f), os.path.relpath(os.path.join(d, f), sys.argv[1]))
            """, root.path, zip.path)
        let packed = ["data.set=image-folder", "data.path=\(zip.path)", "data.broken=skip"]
        #expect(try runner(packed + ["tokenizer.crop=random", "tokenizer.flip=true"]).run().failed.isEmpty)
        let again = try runner(folder + ["tokenizer.crop=random", "tokenizer.flip=true"]).plan().cells[0]
        #expect(again.stages.allSatisfy { !$0.isWork })
        // Cropping at random makes other tokenizers, of the same features.
        let centre = try runner(folder).plan().cells[0].stages.filter { !$0.isWork }
        #expect(centre.map(\.role) == ["features"])
    }

    /// Reading ahead, and what is kept decoded, change no bit of what is trained.
    @Test func readingAheadAndCachesChangeNothing() throws {
        var weights: [[Data]] = []
        let ways = [
            ["data.prefetch=0"], ["data.prefetch=1", "data.cache=squares"], ["data.prefetch=3", "data.cache=pictures"],
            ["data.cache=pictures", "data.cache_limit=0.0001"],
        ]
        for (number, way) in ways.enumerated() {
            let store = try Store(directory: place.folder.appendingPathComponent("store-\(number)"))
            let settings = folder + way + ["tokenizer.crop=random", "tokenizer.flip=true", "tokens.crops=ten"]
            #expect(try runner(settings, in: store).run(upTo: "reconstructions").failed.isEmpty)
            #expect(try runner(settings, in: store).run(upTo: "tokens").failed.isEmpty)
            let stages = try runner(settings, in: store).plan().cells[0].stages
            weights.append(
                try ["features", "tokenizer", "tokens"].map { role in
                    let stage = try #require(stages.first { $0.role == role })
                    let file = role == "tokens" ? "tokens.h5" : "model.safetensors"
                    return try Data(contentsOf: store.stage(id: stage.id).url(file))
                })
        }
        for other in weights.dropFirst() { #expect(other == weights[0]) }
        let caches = try (0..<ways.count).map { number in
            let data = place.folder.appendingPathComponent("store-\(number)/data").path
            return try FileManager.default.contentsOfDirectory(atPath: data).filter { $0.hasSuffix(".cache") }.map {
                (try FileManager.default.attributesOfItem(atPath: "\(data)/\($0)")[.size] as? Int) ?? 0
            }
        }
        #expect(caches.map(\.count) == [0, 1, 1, 1], "\(caches)")
        #expect(caches[3][0] <= 107_374 && caches[3][0] < caches[2][0], "\(caches)")
    }

    /// With ten crops the prior has ten sequences an image, which are not ten times the same.
    @Test func tenCropsAreTenTimesTheTokens() throws {
        #expect(try runner(folder).run(upTo: "tokens").failed.isEmpty)
        let ten = try runner(folder + ["tokens.crops=ten"])
        #expect(try ten.run(upTo: "prior").failed.isEmpty)
        func tokens(_ runner: SweepRunner) throws -> HDF5File {
            let stage = try #require(try runner.plan().cells[0].stages.first { $0.role == "tokens" })
            return try HDF5File(reading: place.store.stage(id: stage.id).url("tokens.h5"))
        }
        let (one, all) = (try tokens(runner(folder)), try tokens(ten))
        let (few, many) = (try one.read("train_indices", as: Int32.self), try all.read("train_indices", as: Int32.self))
        #expect(many.shape == [10 * few.shape[0], few.shape[1]] && few.shape[0] == 80)
        let crops = (0..<10).map { Array(many.values[$0 * few.values.count..<($0 + 1) * few.values.count]) }
        #expect(Set(crops).count > 3)
        let labels = try all.read("train_labels", as: Int32.self).values
        #expect(Array(labels[80..<160]) == Array(labels[..<80]))
        #expect(try all.read("test_indices", as: Int32.self) == one.read("test_indices", as: Int32.self))
    }
}

extension Picture {
    fileprivate func write(_ url: URL) throws { try PNG.write(self, to: url) }
}
