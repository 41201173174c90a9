import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// Against numpy, on made-up files: four random images in each training file, three for testing.
@Suite struct CIFAR10Tests {
    private static let make = """
        import sys, numpy as np
        rng = np.random.default_rng(0)
        for name, n in [(f"data_batch_{i}", 4) for i in range(1, 6)] + [("test_batch", 3)]:
            records = rng.integers(0, 256, (n, 3073), dtype=np.uint8)
            records[:, 0] %= 10
            records.tofile(f"{sys.argv[1]}/{name}.bin")
        open(f"{sys.argv[1]}/batches.meta.txt", "w").write("\\n".join(f"class {i}" for i in range(10)) + "\\n\\n")
        """

    private static let readWithNumpy = """
        import hashlib, sys, numpy as np
        for names in [[f"data_batch_{i}" for i in range(1, 6)], ["test_batch"]]:
            records = np.concatenate([np.fromfile(f"{sys.argv[1]}/{n}.bin", np.uint8).reshape(-1, 3073) for n in names])
            images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            border = (int(sys.argv[2]) - 32) // 2
            images = np.pad(images, ((0, 0), (border, border), (border, border), (0, 0)))
            print(len(records), hashlib.sha256(images.tobytes()).hexdigest(), *records[:, 0])
        """

    private static func withSet(_ body: (URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            _ = try python(make, folder.path)
            try body(folder)
        }
    }

    @Test(arguments: [32, 36]) func filesAreReadAsNumpyReadsThem(_ size: Int) throws {
        try Self.withSet { folder in
            let data = try CIFAR10.load(from: folder, imageSize: size)
            let found = [data.train, data.test].map { set in
                let labels = set.labels.map(String.init).joined(separator: " ")
                return "\(set.count) \(set.pixels.withUnsafeBytes { sha256(Data($0)) }) \(labels)"
            }
            #expect(try python(Self.readWithNumpy, folder.path, "\(size)").split(separator: "\n").map(String.init) == found)
            #expect(data.train.classNames == (0..<10).map { "class \($0)" })
            #expect(data.test.height == size && data.test.width == size && data.test.channels == 3)
        }
    }

    static let damages: [(file: String, says: [String], change: @Sendable (inout Data) -> Void)] = [
        ("data_batch_3.bin", ["ends at byte 12291", "record 3", "12292", "truncated"], { $0.removeLast() }),
        ("test_batch.bin", ["ends at byte 0", "truncated"], { $0 = Data() }),
        ("test_batch.bin", ["ends at byte 9220", "inside record 3"], { $0.append(7) }),
        ("data_batch_2.bin", ["ends at byte 9219, expected 12292", "truncated"], { $0 = $0.prefix(3 * 3073) }),
        ("data_batch_5.bin", ["byte 6146: label 10, expected 0 to 9"], { $0[2 * 3073] = 10 }),
        ("batches.meta.txt", ["names 9 classes, expected 10"], { $0 = Data("a\nb\nc\nd\ne\nf\ng\nh\ni\n".utf8) }),
        ("batches.meta.txt", [":2: is empty"], { $0 = Data("a\n\nc\nd\ne\nf\ng\nh\ni\nj\n".utf8) }),
    ]

    @Test(arguments: damages.indices) func damageIsNamedWithItsPlace(_ index: Int) throws {
        let damage = Self.damages[index]
        try Self.withSet { folder in
            let url = folder.appendingPathComponent(damage.file)
            var content = try Data(contentsOf: url)
            damage.change(&content)
            try content.write(to: url)
            let message = #expect(throws: InputError.self) { try CIFAR10.load(from: folder) }?.message ?? ""
            #expect(message.hasPrefix(url.path), "\(message)")
            for words in damage.says { #expect(message.contains(words), "\(message)") }
        }
    }

    @Test(arguments: ["data_batch_4.bin", "test_batch.bin", "batches.meta.txt"])
    func aMissingFileIsNamed(_ name: String) throws {
        try Self.withSet { folder in
            let url = folder.appendingPathComponent(name)
            try FileManager.default.removeItem(at: url)
            let error = #expect(throws: InputError.self) { try CIFAR10.load(from: folder) }
            #expect(error?.message.hasPrefix("\(url.path): no such file") == true)
        }
    }

    @Test func aSmallerImageSizeIsRefused() throws {
        try Self.withSet { folder in #expect(throws: InputError.self) { try CIFAR10.load(from: folder, imageSize: 28) } }
    }
}
