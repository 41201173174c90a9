import CZip
import Files
import Foundation

/// The members of a large zip file by their places: without a table of their names, which for a million of them takes more memory than they do.
public struct ZipMembers: Sendable {
    private let handle: ZipHandle

    /// Opens a file and reads its directory.
    /// - Throws: `InputError` naming the file if it is not a whole zip file.
    public init(reading url: URL) throws { handle = try ZipHandle(reading: url) }

    /// Tells of every member: its name, bytes of content, and its place.
    public func forEach(_ body: (_ name: String, _ size: Int, _ place: UInt64) throws -> Void) throws {
        try handle.forEach { name, size, place in try body(name, size, place) }
    }

    /// - Parameter name: for errors.
    /// - Throws: `InputError` naming file and member if it is larger than `limit` or damaged.
    public func content(at place: UInt64, name: String, atMost limit: Int) throws -> [UInt8] {
        let reader = try ZipMemberReader(handle, at: place, name: name)
        guard reader.size <= limit else {
            throw InputError(
                file: handle.file, "member '\(name)' unfolds to \(reader.size) bytes, more than the \(limit) that are read")
        }
        return try reader.readAll()
    }

    /// Size and CRC-32 of a member's content, as the directory says.
    public func checksum(at place: UInt64, name: String) throws -> String {
        let member = try handle.status(at: place, name: name)
        return "\(member.size) \(String(member.crc, radix: 16))"
    }
}

extension ZipHandle {
    fileprivate func forEach(_ body: (String, Int, UInt64) throws -> Void) throws {
        let count = entered { UInt64(max(0, zip_get_num_entries($0, 0))) }
        for place in 0..<count {
            let (name, size) = try entered { archive in
                var status = zip_stat_t()
                guard zip_stat_index(archive, place, 0, &status) == 0, let size = Int(exactly: status.size), let name = status.name else {
                    throw InputError(file: file, "the zip directory cannot be read: \(reason(archive))")
                }
                return (String(cString: name), size)
            }
            try body(name, size, place)
        }
    }
}
