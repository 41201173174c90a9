import CZlib
import Files
import Foundation

/// Reads the members of a zip file (PKWARE APPNOTE), stored or deflated, of any size (zip64).
///
/// The directory at the file's end says what there is and where; every member is checked against its size and CRC-32.
public struct ZipArchive: Sendable {
    /// A member, as the directory describes it.
    struct Member: Sendable {
        let name: String
        /// 0: stored, 8: deflated.
        let method: Int
        let crc: UInt32
        let compressedSize, size: Int
        /// Where its local header begins.
        let offset: Int
    }

    /// What errors call the file.
    public let file: String
    private let data: Data
    private let members: [String: Member]
    /// Names of all members, in the order of the directory.
    public let names: [String]

    /// Opens a file and reads its directory.
    /// - Throws: `InputError` naming the file if it is not a whole zip file.
    public init(reading url: URL) throws {
        file = url.path
        do { data = try Data(contentsOf: url, options: .alwaysMapped) } catch {
            throw InputError(file: url.path, "cannot be read: \(error.localizedDescription)")
        }
        let list = try ZipDirectory(data, file: file).members
        names = list.map(\.name)
        members = Dictionary(list.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    }

    /// The content of a member.
    /// - Throws: `InputError` naming file and member if there is none of that name (and the nearest one that there is), it
    ///   is compressed in another way than by deflate, or damaged.
    public func content(of name: String) throws -> [UInt8] {
        guard let member = members[name] else {
            let hint = nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? "; it has \(names)"
            throw InputError(file: file, "has no member '\(name)'\(hint)")
        }
        let compressed = try compressedBytes(of: member)
        let content: [UInt8]
        switch member.method {
        case 0: content = [UInt8](compressed)
        case 8: content = try inflate(compressed, of: member)
        default:
            throw damaged(member, "is compressed by method \(member.method); expected stored (0) or deflated (8)")
        }
        guard content.count == member.size else {
            throw damaged(member, "holds \(content.count) bytes where the directory says \(member.size)")
        }
        let crc = content.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
        guard UInt32(truncatingIfNeeded: crc) == member.crc else {
            throw damaged(member, "is damaged: its content does not match its checksum")
        }
        return content
    }

    private func damaged(_ member: Member, _ what: String) -> InputError {
        InputError(file: file, "member '\(member.name)' \(what)")
    }

    private func compressedBytes(of member: Member) throws -> Data {
        let header = 30
        guard member.offset <= data.count - header, data.number(at: member.offset, bytes: 4) == 0x0403_4B50 else {
            throw damaged(member, "should begin at byte \(member.offset), but does not")
        }
        let names = data.number(at: member.offset + 26, bytes: 2) + data.number(at: member.offset + 28, bytes: 2)
        let start = member.offset + header + names
        guard start <= data.count, member.compressedSize <= data.count - start else {
            throw damaged(member, "ends beyond the end of the file: truncated")
        }
        return data[data.startIndex + start..<data.startIndex + start + member.compressedSize]
    }

    private func inflate(_ compressed: Data, of member: Member) throws -> [UInt8] {
        var stream = z_stream()
        // Negative: deflate data without a header of their own.
        guard inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw damaged(member, "cannot be inflated: zlib cannot start")
        }
        defer { inflateEnd(&stream) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var input = [UInt8](compressed)
        try input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            var left = input.count
            var status = Z_OK
            while status != Z_STREAM_END {
                if stream.avail_in == 0 {
                    stream.avail_in = UInt32(min(left, 1 << 30))
                    left -= Int(stream.avail_in)
                }
                let produced = chunk.withUnsafeMutableBufferPointer { chunk in
                    stream.next_out = chunk.baseAddress
                    stream.avail_out = UInt32(chunk.count)
                    status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    return chunk.count - Int(stream.avail_out)
                }
                guard status == Z_OK || status == Z_STREAM_END else {
                    let reason = stream.msg.map { String(cString: $0) } ?? "it breaks off"
                    throw damaged(member, "is damaged after \(content.count) bytes of content: \(reason)")
                }
                content.append(contentsOf: chunk[..<produced])
                // A small file may claim to unfold without end; the directory says how much to expect.
                guard content.count <= member.size else {
                    throw damaged(member, "unfolds to more than the \(member.size) bytes that the directory says")
                }
            }
        }
        return content
    }
}

extension Data {
    /// A little-endian number at `offset` from the start, which must lie in the data. Numbers that no file size reaches
    /// become `Int.max`.
    func number(at offset: Int, bytes: Int) -> Int {
        var value: UInt64 = 0
        for i in (0..<bytes).reversed() { value = value << 8 | UInt64(self[startIndex + offset + i]) }
        return Int(exactly: value) ?? .max
    }
}
