import Files
import Foundation
import Synchronization

/// Labelled 8-bit images of one size: held in memory, or read when they are wanted.
public struct ImageSet: Sendable {
    /// Something known about every image besides its class, such as where its object lies.
    public struct Factor: Sendable, Equatable {
        public let name: String
        /// One value per image.
        public let values: [Float]
        public let unit: String

        public init(name: String, values: [Float], unit: String) {
            (self.name, self.values, self.unit) = (name, values, unit)
        }
    }

    public let name: String
    public let height: Int
    public let width: Int
    /// 1 (grey) or 3 (red, green, blue).
    public let channels: Int
    private let storage: Storage
    /// One per image, in 0..<classNames.count.
    public let labels: [Int32]
    public let classNames: [String]
    public let factors: [Factor]
    private let digest = LazyDigest()

    private enum Storage: Sendable {
        /// (image, row, column, channel)
        case memory([UInt8])
        case source(any PictureSource, places: [Int])
    }

    /// All pixels of a set that is in memory, in (image, row, column, channel) order.
    public var pixels: [UInt8] {
        guard case .memory(let pixels) = storage else {
            preconditionFailure("\(name) is not in memory: ask for the pixels of some of its images")
        }
        return pixels
    }

    public var isInMemory: Bool { if case .memory = storage { true } else { false } }

    public var count: Int { labels.count }
    public var pixelsPerImage: Int { height * width * channels }

    public init(
        name: String, height: Int, width: Int, channels: Int, pixels: [UInt8], labels: [Int32], classNames: [String],
        factors: [Factor] = []
    ) {
        precondition(
            pixels.count == labels.count * height * width * channels,
            "\(labels.count) images of \(height)×\(width)×\(channels) are given \(pixels.count) pixel values")
        precondition(
            labels.allSatisfy { classNames.indices.contains(Int($0)) },
            "labels reach from \(labels.min() ?? 0) to \(labels.max() ?? 0), there are \(classNames.count) classes")
        for factor in factors {
            precondition(
                factor.values.count == labels.count,
                "factor \(factor.name) has \(factor.values.count) values for \(labels.count) images")
        }
        (self.name, self.height, self.width, self.channels) = (name, height, width, channels)
        (storage, self.labels, self.classNames, self.factors) = (.memory(pixels), labels, classNames, factors)
    }

    /// Images that are squares of side `size` cut from the pictures of `source`, whose place i has class `labels[i]`.
    public init(
        name: String, size: Int, channels: Int, source: any PictureSource, labels: [Int32], classNames: [String]
    ) {
        self.init(
            name: name, size: size, channels: channels, source: source, places: Array(labels.indices), labels: labels,
            classNames: classNames, factors: [])
    }

    private init(
        name: String, size: Int, channels: Int, source: any PictureSource, places: [Int], labels: [Int32],
        classNames: [String], factors: [Factor]
    ) {
        (self.name, height, width, self.channels) = (name, size, size, channels)
        (storage, self.labels, self.classNames) = (.source(source, places: places), labels, classNames)
        self.factors = factors
    }

    /// SHA-256 over size, pictures and labels: two sets with the same one train the same model. Computed when first asked for.
    public var fingerprint: String {
        digest.value {
            let pictures =
                switch storage {
                case .memory(let pixels): pixels.withUnsafeBytes { sha256(Data($0)) }
                case .source(let source, let places): source.digest(of: places)
                }
            let parts = [
                "\(count)×\(height)×\(width)×\(channels)", pictures, labels.withUnsafeBytes { sha256(Data($0)) },
            ]
            return sha256(Data(parts.joined(separator: " ").utf8))
        }
    }

    /// The pixels (image, row, column, channel) of the images at `indices`, in that order. What is not in memory is read
    /// and decoded on all cores.
    /// - Parameter views: what each of them shows; empty: the middle of every picture.
    /// - Throws: `InputError` naming the first file that cannot be read.
    public func pixels(of indices: some Collection<Int>, views: [PictureView] = []) throws -> [UInt8] {
        precondition(views.isEmpty || views.count == indices.count, "\(views.count) views of \(indices.count) images")
        for index in indices { precondition(index >= 0 && index < count, "image \(index) of \(count)") }
        var chosen: [UInt8] = []
        chosen.reserveCapacity(indices.count * pixelsPerImage)
        if case .memory(let pixels) = storage, views.allSatisfy({ $0 == PictureView() }) {
            for index in indices { chosen += pixels[index * pixelsPerImage..<(index + 1) * pixelsPerImage] }
            return chosen
        }
        let wanted = indices.enumerated().map { (index: $1, view: views.isEmpty ? PictureView() : views[$0]) }
        for image in try concurrentMap(wanted, { index, view in try self.image(index, view) }) { chosen += image }
        return chosen
    }

    private func image(_ index: Int, _ view: PictureView) throws -> [UInt8] {
        let picture =
            switch storage {
            case .memory: try self.picture(index)
            case .source(let source, let places): try source.picture(places[index], channels: channels, for: view)
            }
        if view.crop == .centre, picture.height == height, picture.width == width {
            return view.isMirrored ? picture.mirrored().pixels : picture.pixels
        }
        precondition(height == width, "crops of \(name), whose images are \(height)×\(width)")
        return picture.square(height, view).pixels
    }

    /// The images at `indices`, in that order.
    public func subset(_ indices: [Int]) -> ImageSet {
        let labels = indices.map { self.labels[$0] }
        let factors = factors.map { factor in
            Factor(name: factor.name, values: indices.map { factor.values[$0] }, unit: factor.unit)
        }
        switch storage {
        case .memory(let pixels):
            var chosen: [UInt8] = []
            chosen.reserveCapacity(indices.count * pixelsPerImage)
            for index in indices { chosen += pixels[index * pixelsPerImage..<(index + 1) * pixelsPerImage] }
            return ImageSet(
                name: name, height: height, width: width, channels: channels, pixels: chosen, labels: labels,
                classNames: classNames, factors: factors)
        case .source(let source, let places):
            return ImageSet(
                name: name, size: height, channels: channels, source: source, places: indices.map { places[$0] },
                labels: labels, classNames: classNames, factors: factors)
        }
    }

    /// The same images, with their pictures kept in `cache` from place `first` on.
    func cached(by cache: PictureCache, from first: Int) -> ImageSet {
        guard case .source(let source, let places) = storage else { return self }
        return ImageSet(
            name: name, size: height, channels: channels,
            source: CachedPictures(source: source, places: places, cache: cache, first: first), places: Array(labels.indices),
            labels: labels, classNames: classNames, factors: factors)
    }

    /// The picture that an image is cut from, as it is stored; of images in memory, the image.
    func picture(_ index: Int) throws -> Picture {
        switch storage {
        case .memory(let pixels):
            let range = index * pixelsPerImage..<(index + 1) * pixelsPerImage
            return Picture(height: height, width: width, channels: channels, pixels: Array(pixels[range]))
        case .source(let source, let places): return try source.picture(places[index]).converted(toChannels: channels)
        }
    }

    /// The first images of every class, equally many of each (the first classes get one more where `count` does not divide),
    /// in their old order.
    /// - Throws: `InputError` where a class has too few images.
    public func balanced(_ count: Int) throws -> ImageSet {
        var wanted = classNames.indices.map { count / classNames.count + ($0 < count % classNames.count ? 1 : 0) }
        var indices: [Int] = []
        for (index, label) in labels.enumerated() where wanted[Int(label)] > 0 {
            wanted[Int(label)] -= 1
            indices.append(index)
        }
        if let short = wanted.firstIndex(where: { $0 > 0 }) {
            throw InputError(
                "\(name): \(count) images balanced over \(classNames.count) classes need \(wanted[short]) more of '\(classNames[short])'")
        }
        return subset(indices)
    }

    /// `count` different images drawn at random, in their old order; the same seed draws the same ones.
    /// - Throws: `InputError` where the set has fewer.
    public func random(_ count: Int, seed: UInt64) throws -> ImageSet {
        guard count <= self.count else {
            throw InputError("\(name): \(count) images asked for, there are \(self.count)")
        }
        var random = SplitMix64(key: seed, DrawPurpose.subset)
        return subset(random.permutation(of: self.count).prefix(count).sorted())
    }

    /// Every image in the middle of a square of `size`, surrounded by zeros; an odd remainder goes to the right and bottom.
    /// - Throws: `InputError` where the images are larger.
    public func padded(to size: Int) throws -> ImageSet {
        if height == size && width == size { return self }
        guard height <= size, width <= size else {
            throw InputError("\(name): images are \(height)×\(width), image size \(size) is smaller")
        }
        let top = (size - height) / 2
        let left = (size - width) / 2
        var wider = [UInt8](repeating: 0, count: count * size * size * channels)
        let row = width * channels
        let pixels = pixels
        wider.withUnsafeMutableBufferPointer { wider in
            pixels.withUnsafeBufferPointer { pixels in
                for i in 0..<count {
                    for y in 0..<height {
                        let from = (i * height + y) * row
                        let to = ((i * size + y + top) * size + left) * channels
                        for j in 0..<row { wider[to + j] = pixels[from + j] }
                    }
                }
            }
        }
        return ImageSet(
            name: name, height: size, width: size, channels: channels, pixels: wider, labels: labels, classNames: classNames,
            factors: factors)
    }
}

/// What models are trained on, and what they have never seen.
public struct LabelledData: Sendable {
    public let train: ImageSet
    public let test: ImageSet

    public init(train: ImageSet, test: ImageSet) { (self.train, self.test) = (train, test) }
}

/// A text that is computed when it is first asked for, once.
private final class LazyDigest: Sendable {
    private let stored = Mutex<String?>(nil)

    func value(_ compute: () -> String) -> String {
        stored.withLock { stored in
            if let stored { return stored }
            let value = compute()
            stored = value
            return value
        }
    }
}
