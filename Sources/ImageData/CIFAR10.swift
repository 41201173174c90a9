import Files
import Foundation

/// CIFAR-10 (Krizhevsky 2009) in its binary version: 50 000 + 10 000 colour pictures, 32×32, ten classes.
///
/// A file is a row of records of 3073 bytes: the label, then 1024 bytes each of red, green and blue, row by row.
public enum CIFAR10 {
    private static let side = 32
    private static let plane = side * side
    private static let record = 1 + 3 * plane
    private static let classCount = 10

    /// Both halves, each image in the middle of `imageSize`×`imageSize` pixels.
    ///
    /// - Parameter folder: holds data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt.
    /// - Throws: `InputError` naming the file, the byte offset (or the line of batches.meta.txt) and what was expected there.
    public static func load(from folder: URL, imageSize: Int = 32) throws -> LabelledData {
        let names = try classNames(in: folder)
        let train = try half("train", (1...5).map { folder.appendingPathComponent("data_batch_\($0).bin") }, names)
        let test = try half("test", [folder.appendingPathComponent("test_batch.bin")], names)
        return LabelledData(train: try train.padded(to: imageSize), test: try test.padded(to: imageSize))
    }

    private static func half(_ name: String, _ files: [URL], _ classNames: [String]) throws -> ImageSet {
        let contents = try files.map { file in
            let content = [UInt8](try read(file))
            let (count, rest) = content.count.quotientAndRemainder(dividingBy: record)
            guard rest == 0, count > 0 else {
                throw InputError(
                    file: file.path,
                    "ends at byte \(content.count), inside record \(count), which ends at byte \((count + 1) * record): truncated")
            }
            return content
        }
        // Training files are equally long, which shows one that was cut between two records.
        let length = contents.map(\.count).max() ?? 0
        if let short = contents.firstIndex(where: { $0.count < length }) {
            throw InputError(
                file: files[short].path,
                "ends at byte \(contents[short].count), expected \(length), as long as the longest of its kind: truncated")
        }
        var pixels: [UInt8] = []
        var labels: [Int32] = []
        pixels.reserveCapacity(contents.count * length)
        for (file, content) in zip(files, contents) {
            for start in stride(from: 0, to: content.count, by: record) {
                guard content[start] < classCount else {
                    throw InputError(
                        file: file.path, "byte \(start): label \(content[start]), expected 0 to \(classCount - 1)")
                }
                labels.append(Int32(content[start]))
                for pixel in start + 1...start + plane {
                    pixels.append(content[pixel])
                    pixels.append(content[pixel + plane])
                    pixels.append(content[pixel + 2 * plane])
                }
            }
        }
        return ImageSet(
            name: "cifar10/\(name)", height: side, width: side, channels: 3, pixels: pixels, labels: labels,
            classNames: classNames)
    }

    /// The names of the classes in the folder's batches.meta.txt, one a line; empty lines at the end are ignored.
    public static func classNames(in folder: URL) throws -> [String] {
        let file = folder.appendingPathComponent("batches.meta.txt")
        var names = String(decoding: try read(file), as: UTF8.self).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).map { $0.trimmingCharacters(in: .whitespaces) }
        while names.last == "" { names.removeLast() }
        if let empty = names.firstIndex(of: "") {
            throw InputError(file: file.path, line: empty + 1, "is empty, expected the name of class \(empty)")
        }
        guard names.count == classCount else {
            throw InputError(file: file.path, "names \(names.count) classes, expected \(classCount), one a line")
        }
        return names
    }

    private static func read(_ file: URL) throws -> Data {
        guard FileManager.default.fileExists(atPath: file.path) else {
            throw InputError(
                file: file.path,
                "no such file; data.path should name the folder of CIFAR-10's binary version "
                    + "(data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt)")
        }
        return try FileContent.read(file.path)
    }
}
