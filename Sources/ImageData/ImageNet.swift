import Files
import Foundation

/// ImageNet's competition data, in the zip file that it comes in or unpacked: nothing is unpacked, and nothing decoded before it is wanted.
///
/// Training images are in order of class and name, validation images are held out. What identifies the data are names, classes and sizes
/// of all files, which cost no reading of 150 GB: the zip file and the tree are the same data.
public struct ImageNet: Sendable {
    public let data: LabelledData
    /// What was wrong with the file that keeps the list.
    public let remarks: [String]

    /// - Parameters:
    ///   - url: the zip file; or the folder that holds `ILSVRC`, or `ILSVRC` itself.
    ///   - kept: where the list of images is kept, so that opening again takes no look at each; nil: nowhere.
    /// - Throws: `InputError` naming the file that is missing or not as expected.
    public init(opening url: URL, imageSize: Int, channels: Int = 3, kept: URL? = nil) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw InputError(
                file: url.path, "is not there; data.path should be the competition's zip file, or the folder that holds ILSVRC")
        }
        let files: any ImageNetFiles = isFolder.boolValue ? ImageNetTree(root: Self.root(url)) : ImageNetZip(url)
        let stamp = try "\(files.place)\n\(files.stamp())"
        var damage: String?
        var found: ImageNetIndex?
        do { if let kept { found = try ImageNetIndex(reading: kept, stamp: stamp) } } catch {
            damage = "\(error); all images are listed again"
        }
        let index = try found ?? ImageNetIndex(listing: files, stamp: stamp)
        // Kept for speed alone.
        if found == nil, let kept { try? index.write(to: kept) }
        func half(_ half: ImageNetIndex.Half, _ name: String) -> ImageSet {
            ImageSet(
                name: "imagenet/\(name)", size: imageSize, channels: channels, source: Pictures(files: files, index: index, half: half),
                labels: half.labels, classNames: index.classNames)
        }
        data = LabelledData(train: half(index.train, "train"), test: half(index.validation, "test"))
        remarks = [damage].compactMap(\.self)
    }

    private static func root(_ url: URL) -> URL {
        let inner = url.appendingPathComponent("Data/CLS-LOC")
        return FileManager.default.fileExists(atPath: inner.path) ? url.deletingLastPathComponent() : url
    }

    private struct Pictures: PictureSource {
        let files: any ImageNetFiles
        let index: ImageNetIndex
        let half: ImageNetIndex.Half

        func picture(_ place: Int) throws -> Picture {
            let path = index.path(place, in: half)
            let content = try files.content(of: path, member: half.members[place])
            let name = "\(files.place)/\(path)"
            // One of its files is a PNG by another name.
            if content.starts(with: [0x89, 0x50, 0x4E]) { return try PNG.decode(content, file: name) }
            return try JPEG.decode(content, file: name)
        }

        func digest(of places: [Int]) -> String {
            if places.count == half.labels.count, places.first == 0, places.last == places.count - 1 { return half.digest }
            return sha256(lines: places.lazy.map { "\(index.path($0, in: half)) \(half.sizes[$0])" })
        }
    }
}
