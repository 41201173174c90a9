import CZlib
import Files
import Foundation

/// Reads one member of a zip file from front to back, a part at a time, so that it need not fit in memory.
///
/// Its end is reached when all bytes that the directory speaks of are read; size and CRC-32 are checked there.
public final class ZipMemberReader {
    /// Bytes of content.
    public let size: Int
    private let file: String
    private let member: ZipArchive.Member
    private let compressed: Data
    private var consumed = 0
    private var produced = 0
    private var checksum: UInt = 0
    private var isChecked = false
    /// Nil for a stored member. zlib wants it to stay where it is.
    private let stream: UnsafeMutablePointer<z_stream>?

    init(_ member: ZipArchive.Member, _ compressed: Data, file: String) throws {
        (self.member, self.compressed, self.file, size) = (member, compressed, file, member.size)
        switch member.method {
        case 0:
            stream = nil
            guard compressed.count == member.size else { throw damaged(Self.wrongCount(compressed.count, member)) }
        case 8:
            let made = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            made.initialize(to: z_stream())
            stream = made
            // Negative: deflate data without a header of their own.
            guard inflateInit2_(made, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
                throw damaged("cannot be inflated: zlib cannot start")
            }
        default:
            stream = nil
            throw damaged("is compressed by method \(member.method); expected stored (0) or deflated (8)")
        }
    }

    deinit {
        guard let stream else { return }
        inflateEnd(stream)
        stream.deallocate()
    }

    /// The next `count` bytes, or those that are left.
    /// - Throws: `InputError` naming file and member where it is damaged.
    public func read(_ count: Int) throws -> [UInt8] {
        let wanted = min(count, size - produced)
        let part: [UInt8]
        if stream == nil {
            let start = compressed.startIndex + produced
            part = [UInt8](compressed[start..<start + wanted])
        } else {
            part = try inflated(wanted)
            guard part.count == wanted else { throw damaged(Self.wrongCount(produced + part.count, member)) }
        }
        checksum = part.withUnsafeBufferPointer { crc32_z(checksum, $0.baseAddress, $0.count) }
        produced += part.count
        if produced == size, !isChecked { try check() }
        return part
    }

    private func check() throws {
        // A small file may claim to unfold without end; the directory says how much to expect.
        if stream != nil, try !inflated(1).isEmpty {
            throw damaged("unfolds to more than the \(member.size) bytes that the directory says")
        }
        guard UInt32(truncatingIfNeeded: checksum) == member.crc else {
            throw damaged("is damaged: its content does not match its checksum")
        }
        isChecked = true
    }

    /// At most `count` bytes more; fewer where the data end.
    private func inflated(_ count: Int) throws -> [UInt8] {
        guard let stream else { return [] }
        var failure: String?
        let part = [UInt8](unsafeUninitializedCapacity: count) { output, filled in
            compressed.withUnsafeBytes { input in
                let bytes = input.bindMemory(to: UInt8.self)
                filled = 0
                while filled < count {
                    // zlib counts in 32 bits, and does not write to its input.
                    let (offered, room) = (min(bytes.count - consumed, 1 << 30), min(count - filled, 1 << 30))
                    stream.pointee.next_in = bytes.baseAddress.map { UnsafeMutablePointer(mutating: $0 + consumed) }
                    stream.pointee.avail_in = UInt32(offered)
                    stream.pointee.next_out = output.baseAddress.map { $0 + filled }
                    stream.pointee.avail_out = UInt32(room)
                    let status = CZlib.inflate(stream, Z_NO_FLUSH)
                    consumed += offered - Int(stream.pointee.avail_in)
                    filled += room - Int(stream.pointee.avail_out)
                    if status == Z_STREAM_END { break }
                    guard status == Z_OK else {
                        let reason = stream.pointee.msg.map { String(cString: $0) } ?? "it breaks off"
                        failure = "is damaged after \(produced + filled) bytes of content: \(reason)"
                        break
                    }
                }
            }
        }
        if let failure { throw damaged(failure) }
        return part
    }

    private static func wrongCount(_ count: Int, _ member: ZipArchive.Member) -> String {
        "holds \(count) bytes where the directory says \(member.size)"
    }

    private func damaged(_ what: String) -> InputError {
        InputError(file: file, "member '\(member.name)' \(what)")
    }
}
