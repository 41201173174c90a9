import Files
import Foundation
import ImageData
import Sweep
import TensorCore

/// Images of a run, with what stages are keyed by.
public final class Dataset {
    public let name: String
    public let train, test: ImageSet
    /// What a stage's hash covers of the data: for files a digest of their contents, for drawn images their settings.
    public let identity: JSONValue

    public var classes: Int { train.classNames.count }
    public var channels: Int { train.channels }
    public var imageSize: Int { train.height }

    init(_ settings: DataSettings) throws {
        name = settings.set.rawValue
        let data: LabelledData
        switch settings.set {
        case .fashionMNIST:
            let all = try FashionMNIST.load(
                from: settings.path.map { URL(fileURLWithPath: $0) }, imageSize: settings.imageSize)
            data = LabelledData(
                train: try settings.trainCount.map(all.train.balanced) ?? all.train,
                test: try settings.testCount.map(all.test.balanced) ?? all.test)
        case .shapes:
            data = try Shapes.generate(
                imageSize: settings.imageSize, train: settings.trainCount ?? 20_000, test: settings.testCount ?? 4_000,
                seed: UInt64(settings.seed))
        }
        (train, test) = (data.train, data.test)
        identity = [
            "set": .string(name), "train": .string(train.fingerprint), "test": .string(test.fingerprint),
        ]
    }

    /// Patches of the images at `indices`, [n, N, p·p·C].
    func patches(_ set: ImageSet, _ indices: [Int], patch: Int, flipped: [Bool] = []) -> Tensor {
        let layout = set.layout(patch: patch)
        let patches = Tensor(uninitialized: [indices.count, layout.patchCount, layout.patchLength])
        set.batch(
            indices, into: UnsafeMutableBufferPointer(start: patches.pointer, count: patches.count), patch: patch,
            flipped: flipped)
        return patches
    }
}

/// Data sets already loaded by this process.
final class DatasetCache {
    private var loaded: [(settings: DataSettings, dataset: Dataset)] = []

    func dataset(_ settings: DataSettings) throws -> Dataset {
        if let found = loaded.first(where: { $0.settings == settings }) { return found.dataset }
        let dataset = try Dataset(settings)
        loaded.append((settings, dataset))
        return dataset
    }
}

extension ImageSet {
    /// Images at `indices` as [n, H, W, C] in [−1, 1].
    func tensor(_ indices: [Int]) -> Tensor { Self.tensor(pixels, indices, [height, width, channels]) }

    /// Pixels (n, row, column, channel) as x/127.5 − 1.
    static func tensor(_ pixels: [UInt8], _ indices: [Int], _ shape: [Int]) -> Tensor {
        let size = shape.reduce(1, *)
        let result = Tensor(uninitialized: [indices.count] + shape)
        for (place, index) in indices.enumerated() {
            for i in 0..<size { result.pointer[place * size + i] = Float(pixels[index * size + i]) / 127.5 - 1 }
        }
        return result
    }
}
