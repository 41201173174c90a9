import CZlib
import Foundation

/// Writes a zip file of stored members, always with zip64 sizes and no time stamps, so that the same content gives the
/// same bytes at any size.
struct ZipWriter {
    private let output: FileHandle
    private var position = 0
    private var directory = Data()
    private var count = 0

    init(_ output: FileHandle) { self.output = output }

    private static let dos1980 = 0x21

    mutating func add(_ name: String, parts: [Data]) throws {
        let (size, nameBytes) = (parts.reduce(0) { $0 + $1.count }, Data(name.utf8))
        var crc: UInt = 0
        for part in parts {
            crc = part.withUnsafeBytes { crc32_z(crc, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count) }
        }
        // Version 4.5, flag 11 (names are UTF-8), stored, time, date, checksum, and sizes that say: see the extension.
        var common = Data()
        for (value, bytes) in [
            (45, 2), (0x800, 2), (0, 2), (0, 2), (Self.dos1980, 2), (Int(crc), 4), (0xFFFF_FFFF, 4), (0xFFFF_FFFF, 4),
            (nameBytes.count, 2),
        ] { common.append(value, bytes: bytes) }

        directory.append(0x0201_4B50, bytes: 4)
        directory.append(45, bytes: 2)
        directory.append(common)
        for (value, bytes) in [(28, 2), (0, 2), (0, 2), (0, 2), (0, 4), (0xFFFF_FFFF, 4)] {
            directory.append(value, bytes: bytes)
        }
        directory.append(nameBytes)
        for (value, bytes) in [(1, 2), (24, 2), (size, 8), (size, 8), (position, 8)] {
            directory.append(value, bytes: bytes)
        }

        var header = Data()
        header.append(0x0403_4B50, bytes: 4)
        header.append(common)
        header.append(20, bytes: 2)
        header.append(nameBytes)
        for (value, bytes) in [(1, 2), (16, 2), (size, 8), (size, 8)] { header.append(value, bytes: bytes) }
        for part in [header] + parts {
            try output.write(contentsOf: part)
            position += part.count
        }
        count += 1
    }

    /// Writes the directory; nothing may be added afterwards.
    mutating func finish() throws {
        let start = position
        var end = Data()
        for (value, bytes) in [
            (0x0606_4B50, 4), (44, 8), (45, 2), (45, 2), (0, 4), (0, 4), (count, 8), (count, 8), (directory.count, 8),
            (start, 8), (0x0706_4B50, 4), (0, 4), (start + directory.count, 8), (1, 4), (0x0605_4B50, 4), (0, 2), (0, 2),
            (0xFFFF, 2), (0xFFFF, 2), (0xFFFF_FFFF, 4), (0xFFFF_FFFF, 4), (0, 2),
        ] { end.append(value, bytes: bytes) }
        try output.write(contentsOf: directory)
        try output.write(contentsOf: end)
    }
}

extension Data {
    /// Appends the low bytes of a number, little-endian.
    fileprivate mutating func append(_ value: Int, bytes: Int) {
        for i in 0..<bytes { append(UInt8(truncatingIfNeeded: value >> (8 * i))) }
    }
}
