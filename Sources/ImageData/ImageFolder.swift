import Files
import Foundation

/// Pictures in class folders, below a folder or in a zip file: `train/CLASS/…` and `test/CLASS/…`, or `CLASS/…` alone,
/// which is then split. Folders below a class belong to it.
///
/// Classes are the folders' names in order of their bytes; images are in order of class, then of file name. Opening looks
/// at every file once (`PictureSurvey`); afterwards pictures are read and decoded when they are wanted, and none is held.
public struct ImageFolder: Sendable {
    /// What is done about a file that is no readable picture.
    public enum Broken: Sendable { case refuse, skip }

    public let data: LabelledData
    /// Why each skipped file was skipped, in order; empty where broken files are refused.
    public let skipped: [String]
    /// What was wrong with the file that keeps the findings.
    public let remarks: [String]

    /// - Parameters:
    ///   - url: a folder, or a zip file.
    ///   - imageSize: side of the squares that are cut from the pictures.
    ///   - channels: 1 (grey) or 3 (red, green, blue); pictures of the other kind are converted.
    ///   - seed: draws the images held out of each class, where there are no halves.
    ///   - survey: a file that keeps what looking at the pictures has found; nil: it is found anew each time.
    ///   - progress: is told how many pictures have been read, and of how many; may throw to cancel.
    /// - Throws: `InputError` naming the folder or file that is not as expected.
    public init(
        opening url: URL, imageSize: Int, channels: Int = 3, broken: Broken = .refuse, seed: UInt64 = 0,
        survey: URL? = nil, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws {
        precondition(channels == 1 || channels == 3, "images of \(channels) channels")
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw InputError(
                file: url.path, "no such folder; data.path should be a folder, or a zip file, of class folders")
        }
        let files: any PictureFiles = isFolder.boolValue ? FolderFiles(root: url) : try ZipFiles(url)
        let listing = try ClassListing(files, seed: seed)
        let survey = try PictureSurvey(
            (listing.train + listing.test).flatMap(\.self), of: files, kept: survey, progress: progress)
        var findings = survey.findings[...]
        var skipped: [String] = []
        func skip(_ problem: String) throws {
            guard broken == .skip else { throw InputError("\(problem); data.broken: skip leaves such files out") }
            skipped.append(problem)
        }
        for problem in listing.problems { try skip(problem) }
        func half(_ name: String, _ classes: [[String]]) throws -> ImageSet {
            var (paths, digests, labels): ([String], [PictureDigest], [Int32]) = ([], [], [])
            for (label, files) in classes.enumerated() {
                for path in files {
                    let finding = findings.removeFirst()
                    if let problem = finding.problem {
                        try skip(problem)
                        continue
                    }
                    paths.append(path)
                    guard let digest = finding.digest else { preconditionFailure("\(path) is a picture without a digest") }
                    digests.append(digest)
                    labels.append(Int32(label))
                }
                guard labels.last == Int32(label) else {
                    throw InputError(
                        file: url.path, "class '\(listing.classNames[label])' has no readable image for \(name)")
                }
            }
            return ImageSet(
                name: "image-folder/\(name)", size: imageSize, channels: channels,
                source: EncodedPictures(files: files, paths: paths, digests: digests), labels: labels,
                classNames: listing.classNames)
        }
        data = LabelledData(train: try half("train", listing.train), test: try half("test", listing.test))
        self.skipped = skipped
        remarks = [survey.damage].compactMap(\.self)
    }
}

/// Picture files, decoded when they are asked for.
private struct EncodedPictures: PictureSource {
    let files: any PictureFiles
    let paths: [String]
    let digests: [PictureDigest]

    func picture(_ place: Int) throws -> Picture { try files.picture(paths[place]) }

    func digest(of places: [Int]) -> String { sha256(lines: places.lazy.map { digests[$0].text }) }
}
