import Files
import Foundation

/// Long work of a stage on a row of things, made in order, part by part. Each part is a file of its own until the stage is complete,
/// so that after a stop, asked for or not, only the part in the making is made again.
public struct StageParts {
    private let work: StageWork
    private let name: String
    /// The parts, in order.
    public let ranges: [Range<Int>]

    /// - Parameters:
    ///   - name: what is made; part of the files' names.
    ///   - count: of how many things.
    ///   - size: things in a part.
    public init(_ work: StageWork, _ name: String, count: Int, size: Int) throws {
        precondition(size > 0, "parts of \(size)")
        (self.work, self.name) = (work, name)
        ranges = stride(from: 0, to: count, by: size).map { $0..<min(count, $0 + size) }
        // Those of another size, too, which an earlier process may have left.
        for file in try names(in: work.stage.directory) where file.hasPrefix("\(name).part-") { work.discardWhenComplete(file) }
        for range in ranges { work.discardWhenComplete(file(range)) }
    }

    private func file(_ range: Range<Int>) -> String { "\(name).part-\(range.lowerBound)-\(range.upperBound).h5" }

    /// Makes the parts that are not there yet; one that is damaged is made again.
    /// - Parameter make: writes the part of a range into its file.
    public func fill(_ make: (Range<Int>, HDF5File) throws -> Void) throws {
        for range in ranges {
            let url = work.url(file(range))
            if try isWhole(url) { continue }
            try HDF5File.write(atomicallyTo: url) { try make(range, $0) }
        }
    }

    /// Reads the parts, all of which have been made, in order.
    public func forEach(_ read: (Range<Int>, HDF5File) throws -> Void) throws {
        for range in ranges {
            let file = try HDF5File(reading: work.url(file(range)))
            try read(range, file)
            try file.close()
        }
    }

    private func isWhole(_ url: URL) throws -> Bool {
        guard try isPresent(url) else { return false }
        do { try FileSeal.check(url) } catch let error as InputError where error.isDamage {
            try work.log("\(url.lastPathComponent) is damaged and made again: \(error)")
            return false
        }
        return true
    }
}
