import Files

/// An array of a file, read from front to back some rows (entries of its first axis) at a time.
public final class NumpyRows {
    public let shape: [Int]
    private let header: NPY.Header
    private let reader: ZipMemberReader
    private let file, member: String
    /// Rows that have been read.
    public private(set) var position = 0
    /// Of a column-major array: its bytes in row-major order, all of which the first row needs.
    private var rearranged: [UInt8]?

    /// numpy's name of the type that the values are read as.
    public var typeName: String { header.array([], shape: [0]).typeName }

    init(_ reader: ZipMemberReader, file: String, member: String) throws {
        let header = try NPY.Header(file: file, member: member) { try reader.read($0) }
        let count = NPY.product(header.shape) ?? .max
        let (needed, overflow) = count.multipliedReportingOverflow(by: header.valueBytes)
        guard !overflow, reader.size - header.length == needed else {
            throw InputError(
                file: file,
                "member '\(member)' has \(reader.size - header.length) bytes of values; its shape \(header.shape) needs "
                    + "\(count) of \(header.valueBytes) bytes")
        }
        (self.header, self.reader, shape) = (header, reader, header.shape)
        (self.file, self.member) = (file, member)
    }

    /// The next `count` rows, [rows, …], or those that are left; nil after the last.
    /// - Throws: `InputError` naming file and member where it is damaged.
    public func next(_ count: Int) throws -> NumpyArray? {
        precondition(!shape.isEmpty && count > 0, "\(count) rows of an array of shape \(shape)")
        let rows = min(count, shape[0] - position)
        guard rows > 0 else { return nil }
        let rowBytes = shape.dropFirst().reduce(header.valueBytes, *)
        defer { position += rows }
        try MemoryClaim.require(rows * rowBytes, file: file, "array '\(member)', \(rows) rows of it,")
        guard header.isColumnMajor else {
            return header.array(try reader.read(rows * rowBytes), shape: [rows] + shape.dropFirst())
        }
        let all = try rearranged ?? header.rowMajor(reader.readAll())
        rearranged = all
        return header.array(
            Array(all[position * rowBytes..<(position + rows) * rowBytes]), shape: [rows] + shape.dropFirst())
    }

    /// All that is left, in one array.
    func rest() throws -> NumpyArray {
        let bytes = try reader.readAll()
        return header.array(header.isColumnMajor ? header.rowMajor(bytes) : bytes, shape: shape)
    }
}
