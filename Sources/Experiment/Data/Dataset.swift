import Files
import Foundation
import ImageData
import Settings
import TensorCore

/// Images of a run, with what stages are keyed by.
public final class Dataset {
    public let name: String
    public let train, test: ImageSet
    /// What a stage's hash covers of the data: for files a digest of their contents, for drawn images their settings.
    public let identity: JSONValue
    /// Why files were left out of the data, one line each.
    let skipped: [String]
    /// What is worth knowing about the data, one line each.
    let notes: [String]

    /// Whether there are no images at all (`data.set: none`).
    public var isEmpty: Bool { counts == (0, 0) }
    public var classes: Int { train.classNames.count }
    /// Training and held-out images: those there are, or those that a plan expects.
    var counts: (train: Int, test: Int) { expected ?? (train.count, test.count) }
    public var channels: Int { train.channels }
    public var imageSize: Int { train.height }

    /// Batches that are read ahead of a training step.
    private var prefetch = 0
    /// Of images that are not here.
    private var expected: (train: Int, test: Int)?

    /// No images, of these sizes: what a model is sampled for where there is no data.
    init(withoutImagesOf size: Int, channels: Int, classes: Int) {
        let none = ImageSet(
            name: DataSettings.Collection.none.rawValue, height: size, width: size, channels: channels, pixels: [], labels: [],
            classNames: (0..<classes).map(String.init))
        (name, train, test, skipped, notes, identity) = (none.name, none, none, [], [], ["set": .string(none.name)])
    }

    /// - Parameters:
    ///   - kept: folder that caches what was found in files; nil: nothing is cached.
    ///   - progress: is told how many pictures have been read, and of how many; may throw to cancel.
    package init(_ settings: DataSettings, kept: URL?, progress: (Int, Int) throws -> Void = { _, _ in }) throws {
        name = settings.set.rawValue
        prefetch = settings.prefetch
        var skipped: [String] = []
        var remarks: [String] = []
        var all: LabelledData
        switch settings.set {
        case .fashionMNIST:
            all = try FashionMNIST.load(
                from: settings.path.map { URL(fileURLWithPath: $0) }, imageSize: settings.imageSize)
        case .cifar10: all = try CIFAR10.load(from: Self.place(settings), imageSize: settings.imageSize)
        case .imageFolder:
            let place = try Self.place(settings)
            let folder = try ImageFolder(
                opening: place, imageSize: settings.imageSize, channels: settings.channels,
                broken: settings.broken == .skip ? .skip : .refuse, seed: UInt64(settings.seed),
                survey: kept?.appendingPathComponent("survey-\(sha256(Data(place.standardizedFileURL.path.utf8)).prefix(12)).tsv"),
                progress: progress)
            skipped = folder.skipped
            remarks += folder.remarks
            all = folder.data
        case .imageHDF5: all = try HDF5Images(opening: Self.place(settings), settings, kept: kept) { remarks.append($0) }.load()
        case .imagenet:
            let place = try Self.place(settings)
            let found = try ImageNet(
                opening: place, imageSize: settings.imageSize, channels: settings.channels,
                kept: kept?.appendingPathComponent("imagenet-\(sha256(Data(place.standardizedFileURL.path.utf8)).prefix(12)).index"))
            remarks += found.remarks
            all = found.data
        case .none: throw InputError("data.set none has no images to train or test on")
        case .shapes:
            all = try Shapes.generate(
                imageSize: settings.imageSize, train: settings.trainCount ?? 20_000, test: settings.testCount ?? 4_000,
                seed: UInt64(settings.seed))
        }
        if let content = PictureCache.Content(settings.cache), let kept,
            let cached = all.cached(content, in: kept, limit: settings.cacheLimit.map { Int($0 * 1_073_741_824) })
        {
            remarks.append(cached.cache.account(of: all, limit: settings.cacheLimit))
            all = cached.data
        }
        let data = settings.set == .shapes ? all : try Self.limited(all, settings)
        (train, test) = (data.train, data.test)
        self.skipped = skipped
        notes = try remarks + Self.checkClasses(data, settings)
        identity = [
            "set": .string(name), "train": .string(train.fingerprint), "test": .string(test.fingerprint),
        ]
    }

    /// No images, but what a plan has to know of them.
    init(expecting expected: ExpectedDataSettings, of settings: DataSettings) {
        name = settings.set.rawValue
        let channels =
            switch settings.set {
            case .fashionMNIST: 1
            case .imageFolder, .imageHDF5, .imagenet: settings.channels
            default: 3
            }
        train = ImageSet(
            name: name, height: settings.imageSize, width: settings.imageSize, channels: channels, pixels: [], labels: [],
            classNames: (0..<expected.classes).map(String.init))
        test = train
        self.expected = (settings.trainCount ?? expected.trainCount, settings.testCount ?? expected.testCount)
        (skipped, notes) = ([], [])
        identity = ["set": .string(name), "expected": .string(settings.path ?? name)]
    }

    /// Every class must be in the training images, else samples of it are drawn from what was never trained. A class that only
    /// the held-out images lack is noted: it has no part in what compares with them.
    private static func checkClasses(_ data: LabelledData, _ settings: DataSettings) throws -> [String] {
        let place = settings.path ?? settings.set.rawValue
        let names = data.train.classNames
        func lacking(_ set: ImageSet) -> [String] {
            let present = Set(set.labels)
            return names.indices.filter { !present.contains(Int32($0)) }.map { "'\(names[$0])'" }
        }
        func cause(_ key: String, _ count: Int?) -> String {
            count.map { $0 < names.count ? "; data.\(key) is \($0), there are \(names.count) classes" : "" } ?? ""
        }
        if let first = lacking(data.train).first {
            throw InputError(file: place, "class \(first) has no training image" + cause("train_count", settings.trainCount))
        }
        let missing = lacking(data.test)
        if missing.isEmpty { return [] }
        let shown = missing.prefix(5).joined(separator: ", ") + (missing.count > 5 ? ", …" : "")
        return [
            "\(place): \(missing.count) of \(names.count) classes have no held-out image: \(shown)"
                + cause("test_count", settings.testCount) + "; samples of these classes have nothing "
                + "to be compared with: they worsen distances, and what is measured by class leaves them out"
        ]
    }

    private static func place(_ settings: DataSettings) throws -> URL {
        guard let path = settings.path else { throw InputError("data.set \(settings.set.rawValue) needs data.path") }
        return URL(fileURLWithPath: path)
    }

    private static func limited(_ data: LabelledData, _ settings: DataSettings) throws -> LabelledData {
        LabelledData(
            train: try settings.trainCount.map(data.train.balanced) ?? data.train,
            test: try settings.testCount.map(data.test.balanced) ?? data.test)
    }

    /// Pixels (n, row, column, channel) as patches [n, N, p·p·C].
    func patches(_ pixels: [UInt8], patch: Int) -> Tensor {
        let layout = train.layout(patch: patch)
        let count = pixels.count / train.pixelsPerImage
        let patches = Tensor(uninitialized: [count, layout.patchCount, layout.patchLength])
        patches.overwrite { layout.patches(ofImages: pixels, into: &$0) }
        return patches
    }

    /// Pixels (n, row, column, channel) as [n, H, W, C] in [−1, 1].
    func images(_ pixels: [UInt8]) -> Tensor {
        let count = pixels.count / train.pixelsPerImage
        // A patch of one pixel leaves the order as it is.
        return patches(pixels, patch: 1).reshaped([count, imageSize, imageSize, channels])
    }

    /// How many batches of a set are worth reading ahead.
    func ahead(of set: ImageSet) -> Int { set.isInMemory ? 0 : prefetch }

    /// What a stage that reads the data notes of it in its summary.
    func noted(in summary: JSONValue) -> JSONValue {
        guard !skipped.isEmpty, case .object(var members) = summary else { return summary }
        members["skipped_files"] = .int(skipped.count)
        return .object(members)
    }
}

/// Data sets already loaded by this process.
final class DatasetCache {
    /// Skipped files that are named one by one.
    private static let mostNamed = 10
    private var loaded: [(settings: DataSettings, dataset: Dataset)] = []

    /// Files that were left out are counted and named to `progress` when they are first met.
    ///
    /// - Parameter kept: folder that caches what was found in files.
    func dataset(_ settings: DataSettings, kept: URL?, _ progress: any ProgressReporter) throws -> Dataset {
        if let found = loaded.first(where: { $0.settings == settings }) { return found.dataset }
        let dataset = try Dataset(settings, kept: kept) { done, all in
            progress.update(StageProgress(stage: "data", step: done, steps: all, rate: nil, values: []))
            if done == all { progress.finish() }
            try Interruption.check()
        }
        loaded.append((settings, dataset))
        for note in dataset.notes { progress.note("data: \(note)") }
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
