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
        let reader = try reader(of: name)
        // The size is what the directory claims: memory is asked for as the content comes.
        var content = try reader.read(Self.part)
        while content.count < reader.size { content += try reader.read(Self.part) }
        return content
    }

    private static let part = 1 << 24

    /// Reads a member part by part. Throws as `content(of:)` does, in part only while reading.
    public func reader(of name: String) throws -> ZipMemberReader {
        let member = try member(name)
        return try ZipMemberReader(member, compressedBytes(of: member), file: file)
    }

    /// Size and CRC-32 of a member's content, as the directory says.
    public func checksum(of name: String) throws -> String {
        let member = try member(name)
        return "\(member.size) \(String(member.crc, radix: 16))"
    }

    private func member(_ name: String) throws -> Member {
        guard let member = members[name] else {
            let hint = nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? "; it has \(names)"
            throw InputError(file: file, "has no member '\(name)'\(hint)")
        }
        return member
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
