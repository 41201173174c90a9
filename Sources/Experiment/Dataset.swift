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
    /// Why files were left out of the data, one line each.
    let skipped: [String]

    /// Whether there are no images at all (`data.set: none`).
    public var isEmpty: Bool { train.count == 0 && test.count == 0 }
    public var classes: Int { train.classNames.count }
    public var channels: Int { train.channels }
    public var imageSize: Int { train.height }

    /// No images, of these sizes: what a model is sampled for where no data is at hand.
    init(withoutImagesOf size: Int, channels: Int, classes: Int) {
        let none = ImageSet(
            name: DataSettings.Collection.none.rawValue, height: size, width: size, channels: channels, pixels: [], labels: [],
            classNames: (0..<classes).map(String.init))
        (name, train, test, skipped, identity) = (none.name, none, none, [], ["set": .string(none.name)])
    }

    init(_ settings: DataSettings) throws {
        name = settings.set.rawValue
        var skipped: [String] = []
        let data: LabelledData
        switch settings.set {
        case .fashionMNIST:
            let all = try FashionMNIST.load(
                from: settings.path.map { URL(fileURLWithPath: $0) }, imageSize: settings.imageSize)
            data = try Self.limited(all, settings)
        case .cifar10:
            data = try Self.limited(CIFAR10.load(from: Self.folder(settings), imageSize: settings.imageSize), settings)
        case .imageFolder:
            let folder = try ImageFolder(
                loading: Self.folder(settings), imageSize: settings.imageSize, channels: settings.channels,
                broken: settings.broken == .skip ? .skip : .refuse, seed: UInt64(settings.seed))
            skipped = folder.skipped
            data = try Self.limited(folder.data, settings)
        case .none: throw InputError("data.set none has no images to train or test on")
        case .shapes:
            data = try Shapes.generate(
                imageSize: settings.imageSize, train: settings.trainCount ?? 20_000, test: settings.testCount ?? 4_000,
                seed: UInt64(settings.seed))
        }
        (train, test) = (data.train, data.test)
        self.skipped = skipped
        identity = [
            "set": .string(name), "train": .string(train.fingerprint), "test": .string(test.fingerprint),
        ]
    }

    private static func folder(_ settings: DataSettings) throws -> URL {
        guard let path = settings.path else { throw InputError("data.set \(settings.set.rawValue) needs data.path") }
        return URL(fileURLWithPath: path)
    }

    private static func limited(_ data: LabelledData, _ settings: DataSettings) throws -> LabelledData {
        LabelledData(
            train: try settings.trainCount.map(data.train.balanced) ?? data.train,
            test: try settings.testCount.map(data.test.balanced) ?? data.test)
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
    /// Skipped files that are named one by one.
    private static let mostNamed = 10
    private var loaded: [(settings: DataSettings, dataset: Dataset)] = []

    /// Files that were left out are counted and named to `progress` when they are first met.
    func dataset(_ settings: DataSettings, _ progress: any ProgressReporter) throws -> Dataset {
        if let found = loaded.first(where: { $0.settings == settings }) { return found.dataset }
        let dataset = try Dataset(settings)
        loaded.append((settings, dataset))
        if !dataset.skipped.isEmpty {
            progress.note("data: files skipped as no readable pictures: \(dataset.skipped.count)")
            for line in dataset.skipped.prefix(Self.mostNamed) { progress.note("  \(line)") }
            if dataset.skipped.count > Self.mostNamed {
                progress.note("  and \(dataset.skipped.count - Self.mostNamed) more")
            }
        }
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
