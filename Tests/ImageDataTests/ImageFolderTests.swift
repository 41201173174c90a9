import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// Against Pillow: decoding, conversion and resizing; and what the listing finds.
@Suite struct ImageFolderTests {
    /// A smooth random picture, so that JPEG changes it little, in the mode and file format asked for.
    private static let make = """
        import sys, numpy as np
        from PIL import Image
        path, height, width, mode, options = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
        channels = {"L": 1, "RGB": 3, "CMYK": 4, "RGBA": 4}[mode]
        rng = np.random.default_rng(height * 1000 + width)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 7, channels), dtype=np.uint8).squeeze(), mode)
        coarse.resize((width, height), Image.BICUBIC).save(path, **eval(f"dict({options})"))
        """

    private static let readWithPillow = """
        import sys, numpy as np
        from PIL import Image
        image = Image.open(sys.argv[1])
        if image.mode == "CMYK": image = image.convert("RGB")
        if sys.argv[2]: image = image.convert(sys.argv[2])
        print(*np.asarray(image).ravel())
        """

    private static func numbers(_ text: String) -> [Double] { text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) } }

    private static func make(
        _ url: URL, _ height: Int = 20, _ width: Int = 24, mode: String = "RGB", options: String = ""
    ) throws {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        _ = try python(make, url.path, "\(height)", "\(width)", mode, options)
    }

    @Test(arguments: [
        ("L", ""), ("RGB", ""), ("RGB", "progressive=True"), ("RGB", "quality=95, subsampling=0"), ("RGB", "subsampling=2"),
        ("CMYK", "quality=95"),
    ])
    func jpegsAreDecodedAsByPillow(_ mode: String, _ options: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("a.jpg")
            try Self.make(url, 37, 50, mode: mode, options: options)
            let picture = try JPEG.read(url)
            #expect(picture.height == 37 && picture.width == 50 && picture.channels == (mode == "L" ? 1 : 3))
            let expected = Self.numbers(try python(Self.readWithPillow, url.path, ""))
            #expect(expected.count == picture.pixels.count)
            // Builds of the library round the inverse transform in their own ways.
            let worst = zip(picture.pixels, expected).map { abs(Double($0) - $1) }.max() ?? 0
            #expect(worst <= 2, "off by \(worst)")
            #expect(Set(picture.pixels).count > 50, "the picture shows something")
        }
    }

    @Test func damagedJPEGsAreNamed() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("a.jpg")
            try Self.make(url, 60, 60)
            let whole = try Data(contentsOf: url)
            for length in [0, 2, 20, whole.count / 2, whole.count - 40] {
                try whole.prefix(length).write(to: url)
                let error = #expect(throws: InputError.self, "cut to \(length) of \(whole.count)") { try JPEG.read(url) }
                #expect(error?.message.hasPrefix(url.path) == true)
            }
            #expect(throws: InputError.self) { try JPEG.read(folder.appendingPathComponent("missing.jpg")) }
        }
    }

    @Test func colourAndGreyAreConvertedAsByPillow() throws {
        try withTemporaryFolder { folder in
            for (mode, other, channels) in [("RGB", "L", 1), ("L", "RGB", 3)] {
                let url = folder.appendingPathComponent("\(mode).png")
                try Self.make(url, 30, 31, mode: mode)
                let picture = try PNG.read(url)
                #expect(picture.converted(toChannels: picture.channels) == picture)
                let expected = Self.numbers(try python(Self.readWithPillow, url.path, other))
                #expect(picture.converted(toChannels: channels).pixels.map(Double.init) == expected)
            }
        }
    }

    private static func folder(_ root: URL, halves: [String], classes: [String], images: Int) throws {
        for half in halves {
            for name in classes {
                let place = (half.isEmpty ? root : root.appendingPathComponent(half)).appendingPathComponent(name)
                try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
                for i in 0..<images {
                    // The level says class, half and number.
                    let level = UInt8(100 * (classes.firstIndex(of: name) ?? 0) + (half == "test" ? 50 : 0) + i)
                    try PNG.write(
                        pixels: [UInt8](repeating: level, count: 8 * 8), height: 8, width: 8, channels: 1,
                        to: place.appendingPathComponent("\(i).png"))
                }
            }
        }
    }

    private static func levels(_ set: ImageSet) throws -> [UInt8] {
        let pixels = try set.pixels(of: 0..<set.count)
        return (0..<set.count).map { pixels[$0 * set.pixelsPerImage] }
    }

    @Test func halvesAreReadInOrderOfClassAndName() throws {
        try withTemporaryFolder { root in
            try Self.folder(root, halves: ["train", "test"], classes: ["b", "Z"], images: 3)
            try Data().write(to: root.appendingPathComponent("train/b/.hidden"))
            let loaded = try ImageFolder(opening: root, imageSize: 8, channels: 1)
            #expect(loaded.data.train.classNames == ["Z", "b"], "capitals come first in order of bytes")
            #expect(loaded.data.train.labels == [0, 0, 0, 1, 1, 1])
            #expect(try Self.levels(loaded.data.train) == [100, 101, 102, 0, 1, 2])
            #expect(try Self.levels(loaded.data.test) == [150, 151, 152, 50, 51, 52])
            #expect(loaded.skipped.isEmpty)
            let coloured = try ImageFolder(opening: root, imageSize: 16).data.test
            #expect(try coloured.channels == 3 && coloured.height == 16 && Self.levels(coloured) == [150, 151, 152, 50, 51, 52])
        }
    }

    @Test func classFoldersAreSplitByTheSeed() throws {
        try withTemporaryFolder { root in
            try Self.folder(root, halves: [""], classes: ["a", "b"], images: 20)
            func split(_ seed: UInt64) throws -> [[UInt8]] {
                let data = try ImageFolder(opening: root, imageSize: 8, channels: 1, seed: seed).data
                return try [data.train, data.test].map(Self.levels)
            }
            let first = try split(0)
            #expect(first[1].count == 4 && first[1].count { $0 < 100 } == 2, "a tenth of each class is held out")
            #expect((first[0] + first[1]).sorted() == (0..<20).map { $0 } + (100..<120).map { $0 })
            #expect(try split(0) == first)
            #expect(Set(try (0..<5).map { try split($0)[1] }).count > 1)
        }
    }

    @Test func brokenFilesAreRefusedOrCounted() throws {
        try withTemporaryFolder { root in
            try Self.folder(root, halves: ["train", "test"], classes: ["a", "b"], images: 3)
            let clean = try ImageFolder(opening: root, imageSize: 8).data
            let notes = root.appendingPathComponent("train/a/notes.txt")
            let cut = root.appendingPathComponent("test/b/cut.jpg")
            try Data("no picture".utf8).write(to: notes)
            try Self.make(cut)
            try Data(contentsOf: cut).prefix(200).write(to: cut)
            let error = #expect(throws: InputError.self) { try ImageFolder(opening: root, imageSize: 8) }
            #expect(error?.message == "\(notes.path): is no PNG or JPEG picture; data.broken: skip leaves such files out")
            let loaded = try ImageFolder(opening: root, imageSize: 8, broken: .skip)
            #expect(loaded.skipped.count == 2)
            #expect(loaded.skipped.first?.hasPrefix(notes.path) == true && loaded.skipped.last?.hasPrefix(cut.path) == true)
            #expect(loaded.data.train.fingerprint == clean.train.fingerprint)
            #expect(loaded.data.test.fingerprint == clean.test.fingerprint)
            for i in 0..<3 { try Data().write(to: root.appendingPathComponent("train/b/\(i).png")) }
            let empty = #expect(throws: InputError.self) { try ImageFolder(opening: root, imageSize: 8, broken: .skip) }
            #expect(empty?.message.contains("class 'b' has no readable image for train") == true)
        }
    }

    /// The content says what a file is, whatever its name.
    @Test func namesDoNotDecideTheFormat() throws {
        try withTemporaryFolder { root in
            try Self.folder(root, halves: ["train", "test"], classes: ["a"], images: 1)
            try Self.make(root.appendingPathComponent("train/a/x.png"), options: "format='JPEG'")
            try Self.make(root.appendingPathComponent("train/a/y.JPEG"), options: "format='PNG'")
            #expect(try ImageFolder(opening: root, imageSize: 8).data.train.count == 3)
        }
    }

    @Test func foldersThatAreNotAsExpectedAreNamed() throws {
        try withTemporaryFolder { root in
            func message() -> String {
                #expect(throws: InputError.self) { try ImageFolder(opening: root, imageSize: 8) }?.message ?? ""
            }
            #expect(message().contains("holds no folders"))
            try Self.folder(root, halves: ["train"], classes: ["a", "b"], images: 1)
            #expect(message().contains("holds train, but no folder test"))
            try Self.folder(root, halves: ["test"], classes: ["a"], images: 1)
            #expect(message().hasPrefix("\(root.path)/test: lacks the class 'b'"))
            try Self.folder(root, halves: ["test"], classes: ["b"], images: 0)
            #expect(message() == "\(root.path)/test/b: holds no images")
            try FileManager.default.removeItem(at: root)
            #expect(message().hasPrefix("\(root.path): no such folder"))
        }
    }
}
