import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// Against numpy on the installed data where there is one, and on a small made-up set everywhere.
@Suite struct FashionMNISTTests {
    /// Writes four files of random 5×4 images: 12 for training, plain labels; 7 for testing.
    private static let makeSmallSet = """
        import gzip, struct, sys, numpy as np
        rng = np.random.default_rng(0)
        def write(name, array):
            data = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(">%dI" % array.ndim, *array.shape) + array.tobytes()
            (gzip.open if name.endswith(".gz") else open)(f"{sys.argv[1]}/{name}", "wb").write(data)
        for half, n in [("train", 12), ("t10k", 7)]:
            write(f"{half}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 5, 4), dtype=np.uint8))
            write(f"{half}-labels-idx1-ubyte" + (".gz" if half == "t10k" else ""), rng.integers(0, 10, n, dtype=np.uint8))
        """

    /// Reads any such folder with numpy, pads, and prints sums that a misplaced pixel changes, and the labels.
    private static let readWithNumpy = """
        import gzip, hashlib, os, sys, numpy as np
        folder, size = sys.argv[1], int(sys.argv[2])
        def read(stem, header):
            path = f"{folder}/{stem}"
            data = open(path, "rb").read() if os.path.exists(path) else gzip.open(path + ".gz").read()
            shape = np.frombuffer(data, ">u4", (header - 4) // 4, 4)
            return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
        for half in ["train", "t10k"]:
            images, labels = read(f"{half}-images-idx3-ubyte", 16), read(f"{half}-labels-idx1-ubyte", 8)
            n, h, w = images.shape
            top, left = (size - h) // 2, (size - w) // 2
            images = np.pad(images, ((0, 0), (top, size - h - top), (left, size - w - left)))
            print(n, hashlib.sha256(images.tobytes()).hexdigest(), hashlib.sha256(labels.astype("<i4").tobytes()).hexdigest())
        """

    private static func description(_ set: ImageSet) -> String {
        "\(set.count) \(set.pixels.withUnsafeBytes { sha256(Data($0)) }) \(set.labels.withUnsafeBytes { sha256(Data($0)) })"
    }

    private static func withSmallSet(_ body: (URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            _ = try python(makeSmallSet, folder.path)
            try body(folder)
        }
    }

    @Test(arguments: [5, 6, 8, 11]) func aSmallSetIsReadAsNumpyReadsIt(_ size: Int) throws {
        try Self.withSmallSet { folder in
            let data = try FashionMNIST.load(from: folder, imageSize: size)
            let expected = try python(Self.readWithNumpy, folder.path, "\(size)").split(separator: "\n").map(String.init)
            #expect([data.train, data.test].map(Self.description) == expected)
            #expect(data.train.height == size && data.train.width == size && data.train.channels == 1)
        }
    }

    @Test(.enabled(if: FashionMNIST.installedFolder != nil)) func theInstalledSetIsReadAsNumpyReadsIt() throws {
        let folder = try #require(FashionMNIST.installedFolder)
        let data = try FashionMNIST.load()
        let expected = try python(Self.readWithNumpy, folder.path, "32").split(separator: "\n").map(String.init)
        #expect([data.train, data.test].map(Self.description) == expected)
        #expect(data.train.count == 60_000 && data.test.count == 10_000)
        #expect(data.train.fingerprint != data.test.fingerprint)
        #expect(data.train.fingerprint == data.train.subset(Array(0..<60_000)).fingerprint)
    }

    @Test func anImageSizeBelowTheImagesIsRefused() throws {
        try Self.withSmallSet { folder in
            let error = #expect(throws: InputError.self) { try FashionMNIST.load(from: folder, imageSize: 4) }
            #expect(error?.message.contains("5×4") == true)
        }
    }

    /// What is done to the small set, and words the message must hold.
    struct Damage: Sendable {
        let file: String
        let says: [String]
        let apply: @Sendable (URL, URL) throws -> Void

        init(_ file: String, _ says: [String], _ apply: @escaping @Sendable (URL, URL) throws -> Void) {
            (self.file, self.says, self.apply) = (file, says, apply)
        }

        static func edit(_ file: String, _ says: [String], _ change: @escaping @Sendable (inout Data) -> Void) -> Damage {
            Damage(file, says) { _, url in
                var data = try Data(contentsOf: url)
                change(&data)
                try data.write(to: url)
            }
        }

        static func swap(_ file: String, with other: String, _ says: [String]) -> Damage {
            Damage(file, says) { folder, _ in try FashionMNISTTests.swap(folder, file, other) }
        }
    }

    private static func swap(_ folder: URL, _ first: String, _ second: String) throws {
        let (a, b) = (folder.appendingPathComponent(first), folder.appendingPathComponent(second))
        let (atA, atB) = (try Data(contentsOf: a), try Data(contentsOf: b))
        try atB.write(to: a)
        try atA.write(to: b)
    }

    static let damages: [Damage] = [
        .edit("train-labels-idx1-ubyte", ["ends at byte 19", "need 20", "truncated"]) { $0.removeLast() },
        .edit("train-labels-idx1-ubyte", ["ends at byte 6", "header of 8 bytes"]) { $0 = $0.prefix(6) },
        .edit("train-labels-idx1-ubyte", ["ends at byte 0"]) { $0 = Data() },
        .edit("train-labels-idx1-ubyte", ["byte 20", "3 bytes more"]) { $0.append(Data([1, 2, 3])) },
        .edit("train-labels-idx1-ubyte", ["byte 0", "0x00000802", "expected 0x00000801 (labels)"]) { $0[3] = 2 },
        .edit("train-labels-idx1-ubyte", ["byte 11", "label 10", "expected 0 to 9"]) { $0[11] = 10 },
        .edit("train-labels-idx1-ubyte", ["byte 4", "11 labels", "expected 12", "train-images-idx3-ubyte.gz"]) {
            $0[7] = 11
            $0.removeLast()
        },
        .edit("t10k-images-idx3-ubyte.gz", ["breaks off at byte 100", "truncated"]) { $0 = $0.prefix(100) },
        .edit("t10k-images-idx3-ubyte.gz", ["breaks off at byte 0", "truncated"]) { $0 = Data() },
        .edit("t10k-images-idx3-ubyte.gz", ["breaks off", "after 156 bytes of content"]) { $0.removeLast() },
        .edit("t10k-images-idx3-ubyte.gz", ["damaged at or before byte", "incorrect data check"]) { $0[$0.count - 8] ^= 1 },
        .edit("t10k-images-idx3-ubyte.gz", ["damaged at or before byte", "incorrect header check"]) { $0[0] = 0 },
        .swap("t10k-images-idx3-ubyte.gz", with: "t10k-labels-idx1-ubyte.gz", ["byte 0", "(labels), expected 0x00000803 (images)"]),
        Damage("t10k-labels-idx1-ubyte.gz", ["byte 0", "(images), expected 0x00000801 (labels)"]) { folder, url in
            try Data(contentsOf: folder.appendingPathComponent("t10k-images-idx3-ubyte.gz")).write(to: url)
        },
        Damage("", ["7 training and 12 test images", "swapped?"]) { folder, _ in
            try swap(folder, "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
            // The content tells gzip from plain, so the names may stay as they are.
            try FileManager.default.moveItem(
                at: folder.appendingPathComponent("t10k-labels-idx1-ubyte.gz"),
                to: folder.appendingPathComponent("t10k-labels-idx1-ubyte"))
            try swap(folder, "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte")
        },
        .swap("train-images-idx3-ubyte.gz", with: "t10k-images-idx3-ubyte.gz", ["byte 4: 12 labels, expected 7"]),
        Damage("t10k-labels-idx1-ubyte", ["holds neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz"]) { _, url in
            try FileManager.default.removeItem(atPath: url.path + ".gz")
        },
    ]

    @Test(arguments: damages.indices) func damageIsNamedWithItsPlace(_ index: Int) throws {
        let damage = Self.damages[index]
        try Self.withSmallSet { folder in
            try damage.apply(folder, folder.appendingPathComponent(damage.file))
            let error = #expect(throws: InputError.self) { try FashionMNIST.load(from: folder, imageSize: 8) }
            let message = error?.message ?? ""
            #expect(message.hasPrefix(folder.path), "\(message)")
            for words in damage.says { #expect(message.contains(words), "\(message)") }
        }
    }

    @Test func aMissingFolderIsNamed() throws {
        let error = #expect(throws: InputError.self) {
            try FashionMNIST.load(from: URL(fileURLWithPath: "/nowhere/fashion"), imageSize: 32)
        }
        #expect(error?.message.hasPrefix("/nowhere/fashion: no such folder") == true)
    }
}
