import Files
import Foundation
import ImageData
import RunStore
import Settings

/// Labelled images in an HDF5 file: `train_images`, `train_labels`, `test_images`, `test_labels`, or `images` and `labels`
/// alone, of which a tenth of each class is held out.
///
/// Images are uint8 [n, height, width, channels] or [n, height, width], labels integers [n] from 0 on, so that every class up
/// to the last has images. The root attribute `class_names` may name the classes. Rows are read when they are wanted.
struct HDF5Images {
    private let file: HDF5File
    private let path: String
    private let names: [String]
    /// SHA-256 of the file.
    private let digest: String
    private let settings: DataSettings

    private static let layout =
        "expected 'train_images', 'train_labels', 'test_images' and 'test_labels', or 'images' and 'labels'"

    /// - Parameters:
    ///   - kept: folder that keeps the file's digest.
    ///   - say: is told where that cannot be read.
    /// - Throws: `InputError` naming the file.
    init(opening url: URL, _ settings: DataSettings, kept: URL?, say: (String) -> Void) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw InputError(file: url.path, "no such file; data.path should name an HDF5 file of images")
        }
        file = try HDF5File(reading: url)
        (path, names, self.settings) = (url.path, try file.datasets(), settings)
        digest = try FileDigest.sha256(of: url, kept: kept, say: say)
    }

    /// - Throws: `InputError` naming the file and the dataset that is not as expected.
    func load() throws -> LabelledData {
        if names.contains("train_images") || names.contains("test_images") {
            let labels = try ["train", "test"].map { try self.labels("\($0)_labels") }
            let classes = try classNames(Array(labels.joined()))
            return LabelledData(
                train: try set("train_images", labels[0], classes), test: try set("test_images", labels[1], classes))
        }
        let labels = try labels("labels")
        let all = try set("images", labels, try classNames(labels))
        let held = heldOutTenth(labels: all.labels, classes: all.classNames.count, seed: UInt64(settings.seed))
        let train = all.labels.indices.filter { !held.contains($0) }
        return LabelledData(train: all.subset(train), test: all.subset(held.sorted()))
    }

    private func require(_ name: String) throws {
        guard names.contains(name) else {
            throw InputError(file: path, "has no dataset '\(name)' (it has \(names)); \(Self.layout)")
        }
    }

    private func labels(_ name: String) throws -> [Int64] {
        try require(name)
        let labels = try file.read(name, as: Int64.self)
        guard labels.shape.count == 1 else {
            throw InputError(file: path, "'\(name)' has shape \(labels.shape); expected [images]")
        }
        if let bad = labels.values.firstIndex(where: { $0 < 0 || $0 >= 1 << 24 }) {
            throw InputError(file: path, "'\(name)' row \(bad) is \(labels.values[bad]); expected a class from 0 on")
        }
        return labels.values
    }

    private func classNames(_ labels: [Int64]) throws -> [String] {
        // Labels are numbers of classes: with one between that no image has, they are something else.
        let (present, count) = (Set(labels), Int(labels.max() ?? -1) + 1)
        if let empty = (0..<Int64(count)).first(where: { !present.contains($0) }) {
            throw InputError(
                file: path,
                "labels reach from \(labels.min() ?? 0) to \(count - 1), but no image has label \(empty); expected 0 to "
                    + "\(present.count - 1), each with images" + (empty == 0 ? " (do the labels count from 1?)" : ""))
        }
        let names: [String]
        switch try file.attribute("class_names") {
        case nil: return (0..<count).map(String.init)
        case .string(let name): names = [name]
        case .strings(let all): names = all
        default: throw InputError(file: path, "'class_names' is a number; expected a text for each class")
        }
        guard names.count == count else {
            throw InputError(file: path, "'class_names' has \(names.count) names, but labels reach from 0 to \(count - 1)")
        }
        return names
    }

    private func set(_ name: String, _ labels: [Int64], _ classes: [String]) throws -> ImageSet {
        try require(name)
        let shape = try file.shape(of: name)
        guard shape.count == 3 || shape.count == 4 && (shape[3] == 1 || shape[3] == 3), shape[1] > 0, shape[2] > 0,
            shape[1] <= Picture.mostPixels / shape[2]
        else {
            throw InputError(
                file: path, "'\(name)' has shape \(shape); expected [images, height, width] or [images, height, width, 1 or 3]")
        }
        guard shape[0] == labels.count, !labels.isEmpty else {
            throw InputError(file: path, "'\(name)' has \(shape[0]) images, but there are \(labels.count) labels")
        }
        // Checked here rather than in the middle of a training.
        _ = try file.read(rows: 0..<1, of: name, as: UInt8.self)
        return ImageSet(
            name: "image-hdf5/\(name)", size: settings.imageSize, channels: settings.channels,
            source: Rows(file: file, name: name, shape: shape, digest: digest), labels: labels.map(Int32.init),
            classNames: classes)
    }

    /// Rows of a dataset. Every call into the HDF5 library holds its lock, and the file is never written or closed.
    private struct Rows: PictureSource, @unchecked Sendable {
        let file: HDF5File
        let name: String
        let shape: [Int]
        /// SHA-256 of the file.
        let digest: String

        func picture(_ place: Int) throws -> Picture {
            let row = try file.read(rows: place..<place + 1, of: name, as: UInt8.self)
            return Picture(height: shape[1], width: shape[2], channels: shape.count == 4 ? shape[3] : 1, pixels: row.values)
        }

        func digest(of places: [Int]) -> String {
            sha256(Data(([digest, name] + places.map(String.init)).joined(separator: " ").utf8))
        }
    }
}

/// Digests of large files, computed once: size and time say whether a file is still the one that was read.
enum FileDigest {
    private struct Kept: Codable {
        let path, stamp: String
        let digest: String?
        /// What earlier versions called it; now the checksum of the record itself.
        var sha256: String?
    }

    /// - Parameters:
    ///   - folder: where digests are kept; nil: nowhere.
    ///   - say: is told of a digest that was kept and cannot be read.
    static func sha256(of url: URL, kept folder: URL?, say: (String) -> Void) throws -> String {
        var status = stat()
        guard stat(url.path, &status) == 0 else {
            throw InputError(file: url.path, "cannot be read: \(String(cString: strerror(errno)))")
        }
        let path = url.standardizedFileURL.path
        let stamp = "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        let place = folder?.appendingPathComponent("digest-\(Files.sha256(Data(path.utf8)).prefix(12)).json")
        if let place, let kept = RecordFile.readCache(place, as: Kept.self, say: say), kept.path == path, kept.stamp == stamp,
            let digest = kept.digest ?? kept.sha256
        {
            return digest
        }
        let digest: String
        do { digest = Files.sha256(try Data(contentsOf: url, options: .alwaysMapped)) } catch {
            throw InputError(file: url.path, "cannot be read: \(systemReason(for: error))")
        }
        // Kept for speed alone: where nothing can be written, it is computed again.
        if let place { RecordFile.writeCache(Kept(path: path, stamp: stamp, digest: digest), to: place) }
        return digest
    }
}
