import Files
import Foundation

/// Images in class folders: `train/CLASS/…` and `test/CLASS/…`, or `CLASS/…` alone, which is then split.
///
/// Classes are the folders' names in order of their bytes; images are in order of class, then of file name. Every picture is
/// scaled to the wanted size by its shorter side, and its middle is kept (`Picture.square`).
public struct ImageFolder: Sendable {
    /// What is done about a file that is no readable picture.
    public enum Broken: Sendable { case refuse, skip }

    public let data: LabelledData
    /// Why each skipped file was skipped, in order; empty where broken files are refused.
    public let skipped: [String]

    /// - Parameters:
    ///   - channels: 1 (grey) or 3 (red, green, blue); pictures of the other kind are converted.
    ///   - seed: draws the images held out of each class, where the folder has no halves.
    /// - Throws: `InputError` naming the folder or file that is not as expected.
    public init(loading folder: URL, imageSize: Int, channels: Int = 3, broken: Broken = .refuse, seed: UInt64 = 0) throws {
        precondition(channels == 1 || channels == 3, "images of \(channels) channels")
        let listing = try Listing(folder, seed: seed)
        var skipped: [String] = []
        func load(_ half: String, _ files: [[URL]]) throws -> ImageSet {
            var pixels: [UInt8] = []
            var labels: [Int32] = []
            pixels.reserveCapacity(files.reduce(0) { $0 + $1.count } * imageSize * imageSize * channels)
            for (label, files) in files.enumerated() {
                for file in files {
                    let picture: Picture
                    do {
                        picture = try Self.read(file)
                    } catch let error as InputError where broken == .skip {
                        skipped.append(error.message)
                        continue
                    } catch let error as InputError {
                        throw InputError("\(error.message); data.broken: skip leaves such files out")
                    }
                    pixels += picture.converted(toChannels: channels).square(imageSize).pixels
                    labels.append(Int32(label))
                }
                guard labels.last == Int32(label) else {
                    throw InputError(
                        file: folder.path, "class '\(listing.classNames[label])' has no readable image for \(half)")
                }
            }
            return ImageSet(
                name: "image-folder/\(half)", height: imageSize, width: imageSize, channels: channels, pixels: pixels,
                labels: labels, classNames: listing.classNames)
        }
        data = LabelledData(train: try load("train", listing.train), test: try load("test", listing.test))
        self.skipped = skipped
    }

    /// A PNG or JPEG; the content says which, as names are often wrong.
    static func read(_ file: URL) throws -> Picture {
        let start: Data
        do {
            let handle = try FileHandle(forReadingFrom: file)
            defer { try? handle.close() }
            start = try handle.read(upToCount: 3) ?? Data()
        } catch {
            throw InputError(file: file.path, "cannot be read: \(error.localizedDescription)")
        }
        if start.starts(with: [0x89, 0x50, 0x4E]) { return try PNG.read(file) }
        if start.starts(with: [0xFF, 0xD8, 0xFF]) { return try JPEG.read(file) }
        throw InputError(file: file.path, "is no PNG or JPEG picture")
    }
}

/// The files of both halves, by class.
private struct Listing {
    let classNames: [String]
    let train, test: [[URL]]

    init(_ folder: URL, seed: UInt64) throws {
        let layout = "data.path should hold train/CLASS/… and test/CLASS/…, or a folder for each class"
        guard Self.isFolder(folder) else { throw InputError(file: folder.path, "no such folder; \(layout)") }
        let inside = try Self.folders(folder)
        guard !inside.isEmpty else { throw InputError(file: folder.path, "holds no folders; \(layout)") }
        let halves = ["train", "test"].map { folder.appendingPathComponent($0) }
        guard inside.contains("train") || inside.contains("test") else {
            classNames = inside
            (train, test) = try Self.split(inside.map { folder.appendingPathComponent($0) }, seed: seed)
            return
        }
        for half in halves where !Self.isFolder(half) {
            let other = half == halves[0] ? "test" : "train"
            throw InputError(file: folder.path, "holds \(other), but no folder \(half.lastPathComponent); \(layout)")
        }
        let classes = try halves.map(Self.folders)
        if let odd = Set(classes[0]).symmetricDifference(classes[1]).min() {
            let lacking = classes[0].contains(odd) ? halves[1] : halves[0]
            throw InputError(file: lacking.path, "lacks the class '\(odd)', which the other half has")
        }
        guard !classes[0].isEmpty else { throw InputError(file: halves[0].path, "holds no folders; \(layout)") }
        classNames = classes[0]
        train = try classes[0].map { try Self.files(halves[0].appendingPathComponent($0)) }
        test = try classes[0].map { try Self.files(halves[1].appendingPathComponent($0)) }
    }

    /// A tenth of each class, at least one image, is held out.
    private static func split(_ classes: [URL], seed: UInt64) throws -> (train: [[URL]], test: [[URL]]) {
        var (train, test): ([[URL]], [[URL]]) = ([], [])
        for (label, folder) in classes.enumerated() {
            let files = try files(folder)
            guard files.count >= 2 else {
                throw InputError(file: folder.path, "holds one image, needs two: one to train on and one held out")
            }
            var random = SplitMix64(key: seed, SplitMix64.Purpose.split, UInt64(label))
            let held = Set(random.permutation(files.count).prefix(max(1, (files.count + 5) / 10)))
            train.append(files.indices.filter { !held.contains($0) }.map { files[$0] })
            test.append(files.indices.filter(held.contains).map { files[$0] })
        }
        return (train, test)
    }

    private static func files(_ folder: URL) throws -> [URL] {
        let found = try names(folder).map { folder.appendingPathComponent($0) }
        guard !found.isEmpty else { throw InputError(file: folder.path, "holds no images") }
        return found
    }

    private static func folders(_ folder: URL) throws -> [String] {
        try names(folder).filter { isFolder(folder.appendingPathComponent($0)) }
    }

    /// What is in a folder, hidden files left out, in order of bytes.
    private static func names(_ folder: URL) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        } catch {
            throw InputError(file: folder.path, "cannot be read: \(error.localizedDescription)")
        }
    }

    private static func isFolder(_ url: URL) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue
    }
}
