import Files
import Foundation

/// The IDX format of MNIST and its kin: a magic number 0x0000 08 (unsigned bytes) and the number of dimensions,
/// each dimension as a big-endian 32-bit number, then the values.
struct IDX {
    let file: String
    let dimensions: [Int]
    let values: ArraySlice<UInt8>

    /// Reads `stem`, or `stem.gz`, in `folder`.
    /// - Parameter rank: how many dimensions there must be: one for labels, three for images.
    /// - Throws: `InputError` naming the file, the byte offset (in the decompressed content) and what was expected there.
    init(folder: URL, stem: String, dimensions rank: Int) throws {
        let candidates = [stem, stem + ".gz"].map { folder.appendingPathComponent($0) }
        guard let url = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
            throw InputError(file: folder.path, "holds neither \(stem) nor \(stem).gz")
        }
        file = url.path
        let data = try FileContent.read(url.path)
        let compressed = url.pathExtension == "gz" || data.starts(with: [0x1F, 0x8B])
        let content = compressed ? try Gzip.decompress(data, file: url.path) : [UInt8](data)

        func number(at offset: Int) throws -> Int {
            guard content.count >= offset + 4 else {
                throw InputError(
                    file: url.path,
                    "ends at byte \(content.count), inside the header of \(4 + 4 * rank) bytes: truncated")
            }
            return content[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
        }
        let magic = try number(at: 0)
        let expected = 0x0800 + rank
        guard magic == expected else {
            let found =
                switch magic {
                case 0x0801: "labels"
                case 0x0803: "images"
                default: "not IDX bytes"
                }
            throw InputError(
                file: url.path,
                "byte 0: magic number \(Self.hex(magic)) (\(found)), expected \(Self.hex(expected)) (\(rank == 1 ? "labels" : "images"))")
        }
        dimensions = try (0..<rank).map { try number(at: 4 + 4 * $0) }
        var size = 1
        for (axis, dimension) in dimensions.enumerated() {
            let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
            guard dimension > 0, !overflow else {
                throw InputError(file: url.path, "byte \(4 + 4 * axis): dimensions \(dimensions) cannot be")
            }
            size = product
        }
        let start = 4 + 4 * rank
        guard content.count - start >= size else {
            throw InputError(
                file: url.path,
                "ends at byte \(content.count), dimensions \(dimensions) need \(start + size): truncated")
        }
        guard content.count - start == size else {
            throw InputError(
                file: url.path,
                "byte \(start + size): \(content.count - start - size) bytes more than dimensions \(dimensions) need")
        }
        values = content[start...]
    }

    private static func hex(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "0x" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }
}
