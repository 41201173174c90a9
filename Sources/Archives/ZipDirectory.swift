import Files
import Foundation

/// The central directory at the end of a zip file, with its zip64 extensions.
struct ZipDirectory {
    private(set) var members: [ZipArchive.Member] = []

    /// - Throws: `InputError` naming `file` and the byte at which the directory is not what it should be.
    init(_ data: Data, file: String) throws {
        guard let end = Self.endRecord(data) else {
            throw InputError(file: file, "is not a zip file, or is truncated: it has no directory at its end")
        }
        var count = data.number(at: end + 10, bytes: 2)
        var position = data.number(at: end + 16, bytes: 4)
        // The zip64 end record is found through a locator just before the ordinary one.
        if end >= 20, data.number(at: end - 20, bytes: 4) == 0x0706_4B50 {
            let wide = data.number(at: end - 12, bytes: 8)
            guard wide <= data.count - 56, data.number(at: wide, bytes: 4) == 0x0606_4B50 else {
                throw InputError(file: file, "has no zip64 directory at byte \(wide), where it should be")
            }
            count = data.number(at: wide + 32, bytes: 8)
            position = data.number(at: wide + 48, bytes: 8)
        }
        for _ in 0..<count {
            guard position <= data.count - 46, data.number(at: position, bytes: 4) == 0x0201_4B50 else {
                throw InputError(file: file, "the zip directory of \(count) members breaks off at byte \(position)")
            }
            let nameLength = data.number(at: position + 28, bytes: 2)
            let extraLength = data.number(at: position + 30, bytes: 2)
            let next = position + 46 + nameLength + extraLength + data.number(at: position + 32, bytes: 2)
            guard next <= data.count else {
                throw InputError(file: file, "the zip directory of \(count) members breaks off at byte \(position)")
            }
            let nameStart = data.startIndex + position + 46
            let name = String(decoding: data[nameStart..<nameStart + nameLength], as: UTF8.self)
            guard data.number(at: position + 8, bytes: 2) & 1 == 0 else {
                throw InputError(file: file, "member '\(name)' is encrypted")
            }
            var wide = Self.wideFields(data, from: position + 46 + nameLength, count: extraLength)
            func field(_ offset: Int) throws -> Int {
                let value = data.number(at: position + offset, bytes: 4)
                guard value == 0xFFFF_FFFF, !wide.isEmpty else { return value }
                return wide.removeFirst()
            }
            // In the order in which the extension lists those that do not fit.
            let (size, compressedSize, offset) = (try field(24), try field(20), try field(42))
            members.append(
                ZipArchive.Member(
                    name: name, method: data.number(at: position + 10, bytes: 2),
                    crc: UInt32(truncatingIfNeeded: data.number(at: position + 16, bytes: 4)),
                    compressedSize: compressedSize, size: size, offset: offset))
            position = next
        }
    }

    /// Where the end record begins; a comment of up to 65535 bytes may follow it.
    private static func endRecord(_ data: Data) -> Int? {
        guard data.count >= 22 else { return nil }
        for start in stride(from: data.count - 22, through: max(0, data.count - 22 - 65535), by: -1)
        where data.number(at: start, bytes: 4) == 0x0605_4B50
            && start + 22 + data.number(at: start + 20, bytes: 2) == data.count
        {
            return start
        }
        return nil
    }

    /// The numbers of the zip64 extension (id 1) among the extra fields.
    private static func wideFields(_ data: Data, from start: Int, count: Int) -> [Int] {
        var position = start
        while position + 4 <= start + count {
            let length = data.number(at: position + 2, bytes: 2)
            guard position + 4 + length <= start + count else { return [] }
            if data.number(at: position, bytes: 2) == 1 {
                return (0..<length / 8).map { data.number(at: position + 4 + 8 * $0, bytes: 8) }
            }
            position += 4 + length
        }
        return []
    }
}
