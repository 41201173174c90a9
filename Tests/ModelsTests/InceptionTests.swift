import Accelerators
import Files
import Foundation
import Models
import PJRT
import TensorCore
import TestSupport
import Testing

/// The Inception network of FID against PyTorch, with random weights: `Tests/reference/inception.py` is the peer.
@Suite struct InceptionTests {
    static let reference = packageRoot.appendingPathComponent("Tests/reference").path

    /// Largest |a − b| relative to the largest |b|.
    private static func error(_ a: Tensor, _ name: String, _ file: SafetensorsFile) throws -> Float {
        let expected = try file.floats(name)
        #expect(try file.shape(name) == a.shape)
        let largest = expected.map(abs).max() ?? 0
        #expect(largest > 0.1)
        return (zip(a.values, expected).map { abs($0 - $1) }.max() ?? .infinity) / largest
    }

    @Test(arguments: [(28, 28, 1), (310, 299, 3)])
    func featuresArePyTorchs(_ height: Int, _ width: Int, _ channels: Int) throws {
        try withTemporaryFolder { folder in
            _ = try python(
                """
                import sys
                sys.dont_write_bytecode = True
                sys.path.insert(0, sys.argv[1])
                import inception
                inception.main(sys.argv[2:])
                """, Self.reference, folder.path, "\(height)", "\(width)", "\(channels)")
            let network = try InceptionV3(weights: SafetensorsFile(reading: folder.appendingPathComponent("weights.safetensors")))
            let peer = try SafetensorsFile(reading: folder.appendingPathComponent("features.safetensors"))
            let images = try peer.ints("images").map { UInt8($0) }
            let count = try peer.shape("images")[0]
            let features = network.features(images, count: count, height: height, width: width, channels: channels)
            #expect(try Self.error(features.pool, "pool", peer) < 1e-4)
            #expect(try Self.error(features.spatial, "spatial", peer) < 1e-4)
            #expect(try Self.error(features.logits, "logits", peer) < 1e-4)
            #expect(features.spatial.shape == [count, InceptionV3.spatialWidth])

            guard testPlugin != nil, channels == 1 else { return }
            let accelerator = try Accelerator(testClient(devices: 1))
            let full = images + [UInt8](repeating: 0, count: (InceptionV3.batch - count) * height * width)
            var inputs = ["images": try accelerator.copy(InceptionV3.levels(full, shape: [InceptionV3.batch, height, width, 1]))]
            for (name, tensor) in network.tensors { inputs[name] = try accelerator.copy(tensor) }
            let values = try accelerator.compile(network.traced(height: height, width: width)).run(inputs)
            for (name, key) in [("pooled", "pool"), ("spatial", "spatial"), ("logits", "logits")] {
                let rows = sliceRows(try values.tensor(name), 0..<count)
                #expect(try Self.error(rows, key, peer) < 1e-4, "\(name)")
            }
        }
    }

    /// torchvision's own Inception has other classes and must not be taken for this one.
    @Test func weightsOfAnotherNetworkAreRefused() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("other.safetensors")
            try SafetensorsFile.write(
                [("Conv2d_1a_3x3.conv.weight", [32, 3, 5, 5], .float32([Float](repeating: 0, count: 2400)))], to: url)
            let error = #expect(throws: InputError.self) { try InceptionV3(weights: SafetensorsFile(reading: url)) }
            #expect(error?.message.contains("Conv2d_1a_3x3.conv.weight") == true)
            #expect(error?.message.contains("[32, 3, 5, 5]") == true && error?.message.contains("[32, 3, 3, 3]") == true)
            try SafetensorsFile.write([("fc.weight", [1], .float32([0]))], to: url)
            let missing = #expect(throws: InputError.self) { try InceptionV3(weights: SafetensorsFile(reading: url)) }
            #expect(missing?.message.contains("Conv2d_1a_3x3.conv.weight") == true)
        }
    }
}
