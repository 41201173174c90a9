import Experiment
import Files
import Foundation
import ImageData
import RunStore
import Settings
import TestSupport
import Testing

/// Images in HDF5 files that h5py has written.
@Suite struct HDF5ImagesTests {
    private static let make = """
        import h5py, numpy as np, sys
        g = np.random.default_rng(2)
        images = g.integers(0, 256, (60, 16, 16, 3), dtype="u1")
        labels = np.arange(60) % 3
        with h5py.File(sys.argv[1] + "/halves.h5", "w") as f:
            f["train_images"], f["train_labels"] = images[:40], labels[:40]
            f.create_dataset("test_images", data=images[40:], chunks=(7, 16, 16, 3), compression="gzip")
            f["test_labels"] = labels[40:].astype("i4")
            f.attrs["class_names"] = ["ant", "bee", "cat"]
        with h5py.File(sys.argv[1] + "/whole.h5", "w") as f:
            f["images"], f["labels"] = images[..., 0], labels.astype("u1")
            f.attrs["class_names"] = np.array([b"ant", b"bee", b"cat"])
        print(*images[[5, 39, 0]].ravel())
        """

    private func load(_ url: URL, channels: Int = 3, size: Int = 16) throws -> Dataset {
        var settings = DataSettings()
        (settings.set, settings.path, settings.imageSize, settings.channels) = (.imageHDF5, url.path, size, channels)
        return try Dataset(settings, kept: url.deletingLastPathComponent().appendingPathComponent("kept"))
    }

    @Test func rowsAreThoseOfTheFile() throws {
        let folder = try Place().folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let expected = try python(Self.make, folder.path).split(whereSeparator: \.isWhitespace).compactMap { UInt8($0) }
        let halves = try load(folder.appendingPathComponent("halves.h5"))
        #expect(halves.train.count == 40 && halves.test.count == 20 && halves.train.classNames == ["ant", "bee", "cat"])
        #expect(halves.train.labels == (0..<40).map { $0 % 3 } && halves.test.labels == (40..<60).map { $0 % 3 })
        #expect(try halves.train.pixels(of: [5, 39, 0]) == expected && expected.count == 3 * 768)
        #expect(!halves.train.isInMemory)
        #expect(try load(folder.appendingPathComponent("halves.h5")).identity == halves.identity, "from the kept digest")

        let whole = try load(folder.appendingPathComponent("whole.h5"), channels: 1)
        #expect(whole.test.count == 6 && whole.train.count == 54 && whole.classes == 3, "a tenth of each class is held out")
        #expect(Set(whole.test.labels) == [0, 1, 2] && whole.train.classNames == ["ant", "bee", "cat"])
        let one = try whole.train.pixels(of: whole.train.labels.indices) + whole.test.pixels(of: 0..<6)
        let grey = Array(stride(from: 0, to: 768, by: 3).map { expected[1536 + $0] })
        let images = Set((0..<60).map { Array(one[256 * $0..<256 * ($0 + 1)]) })
        #expect(images.count == 60 && images.contains(grey), "each image once")
        #expect(try load(folder.appendingPathComponent("whole.h5"), size: 8).train.pixels(of: [0]).count == 192)
    }

    @Test func anHDF5FileTrains() throws {
        let place = try Place()
        _ = try python(Self.make, place.folder.path)
        let file = place.folder.appendingPathComponent("halves.h5").path
        let result = try place.runner(set: [
            "data.set=image-hdf5", "data.path=\(file)", "data.train_count=null", "data.test_count=null",
        ]).run()
        #expect(result.failed.isEmpty && result.done.count == 1, "\(result.failed)")
    }

    @Test func filesThatAreNotAsExpectedAreNamed() throws {
        let place = try Place()
        _ = try python(
            """
            import h5py, numpy as np, sys
            images, labels = np.zeros((6, 8, 8, 3), "u1"), np.arange(6) % 2
            for name, content in {
                "nothing": {"x": labels}, "half": {"train_images": images, "train_labels": labels},
                "unlabelled": {"images": images}, "short": {"images": images, "labels": labels[:5]},
                "floats": {"images": images.astype("f4"), "labels": labels}, "flat": {"images": images[0, 0], "labels": labels[:8]},
                "negative": {"images": images, "labels": labels - 1}, "names": {"images": images, "labels": labels},
                "single": {"images": images[:2], "labels": labels[:2]}, "from-1": {"images": images, "labels": labels + 1},
                "gap": {"images": images, "labels": labels * 3}, "hash": {"images": images, "labels": labels + 2**40},
                "floor": {"images": images, "labels": labels}, "int16": {"images": images.astype("i2"), "labels": labels},
                "bool": {"images": images, "labels": labels > 0},
            }.items():
                with h5py.File(f"{sys.argv[1]}/{name}.h5", "w") as f:
                    for key, value in content.items(): f[key] = value
                    if name == "names": f.attrs["class_names"] = ["one"]
                    if name == "floor": f.attrs["class_names"] = 3
            """, place.folder.path)
        for (name, says) in [
            ("nothing", "'labels'"), ("half", "'test_labels'"), ("unlabelled", "'labels'"), ("short", "5 labels"),
            ("floats", "float32"), ("flat", "[8, 3]"), ("negative", "row 0 is -1"), ("names", "1 names"),
            ("single", "class '0' has no training image"), ("from-1", "do the labels count from 1"), ("gap", "no image has label 1"),
            ("hash", "expected a class"), ("floor", "'class_names' is a number"), ("int16", "int16"), ("bool", "booleans"),
            ("missing", "no such file"),
        ] {
            let url = place.folder.appendingPathComponent("\(name).h5")
            let message = try #require(throws: InputError.self) { _ = try load(url) }.message
            #expect(message.hasPrefix(url.path) && message.contains(says), "\(message)")
        }
    }
}
