import Files
import Foundation

/// The mark that the HDF5 library sets in a file's superblock while a program has it open for writing, and that stays when the
/// program is killed. The library then refuses to open the file, whose content may be whole all the same.
///
/// Superblocks of version 3 (HDF5 1.10) have the flags in byte 11 and end with a checksum, Bob Jenkins' lookup3, of what is
/// before it (HDF5 File Format Specification 3.0, II.A).
enum OpenMark {
    private static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]
    private static let (versionAt, offsetSizeAt, flagsAt) = (8, 9, 11)
    /// Flags: open for writing; open for writing beside readers.
    private static let (writing, besideReaders) = (UInt8(1), UInt8(4))

    /// The superblock as it was before the mark was set; nil where the file bears no such mark, or its superblock is no whole one.
    static func superblockWithout(_ url: URL) throws -> Data? {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputError(file: url.path, cannot: "open") }
        defer { close(descriptor) }
        var head = [UInt8](repeating: 0, count: 48)
        let count = pread(descriptor, &head, head.count, 0)
        guard count >= 0 else { throw InputError(file: url.path, cannot: "read") }
        guard count == head.count, head.starts(with: signature), head[versionAt] == 3, head[offsetSizeAt] == 8,
            head[flagsAt] & writing != 0, head[flagsAt] & besideReaders == 0, checksum(of: head) == Array(head.suffix(4))
        else { return nil }
        head[flagsAt] = 0
        head.replaceSubrange(44..., with: checksum(of: head))
        return Data(head)
    }

    /// Takes the mark away, unless a program has the file open now. Where the file cannot be written the mark stays, and opening
    /// the file says so.
    static func clear(_ url: URL) throws {
        guard let superblock = try superblockWithout(url) else { return }
        let descriptor = open(url.path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return }
        guard superblock.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == superblock.count, fsync(descriptor) == 0
        else { throw InputError(file: url.path, cannot: "write") }
    }

    private static func checksum(of head: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: lookup3(head.dropLast(4)).littleEndian) { Array($0) }
    }

    /// Bob Jenkins' hash of bytes, with the initial value 0: twelve at a time are added to three words, which are then mixed.
    private static func lookup3(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        let start = 0xdead_beef &+ UInt32(bytes.count)
        var (a, b, c) = (start, start, start)
        func rotated(_ word: UInt32, _ bits: UInt32) -> UInt32 { word << bits | word >> (32 - bits) }
        var rest = bytes
        while !rest.isEmpty {
            let twelve = Array(rest.prefix(12)) + [UInt8](repeating: 0, count: max(0, 12 - rest.count))
            func word(_ place: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(twelve[place + $1]) << (8 * UInt32($1)) } }
            (a, b, c) = (a &+ word(0), b &+ word(4), c &+ word(8))
            rest = rest.dropFirst(12)
            if rest.isEmpty { break }
            a = (a &- c) ^ rotated(c, 4)
            c = c &+ b
            b = (b &- a) ^ rotated(a, 6)
            a = a &+ c
            c = (c &- b) ^ rotated(b, 8)
            b = b &+ a
            a = (a &- c) ^ rotated(c, 16)
            c = c &+ b
            b = (b &- a) ^ rotated(a, 19)
            a = a &+ c
            c = (c &- b) ^ rotated(b, 4)
            b = b &+ a
        }
        c = (c ^ b) &- rotated(b, 14)
        a = (a ^ c) &- rotated(c, 11)
        b = (b ^ a) &- rotated(a, 25)
        c = (c ^ b) &- rotated(b, 16)
        a = (a ^ c) &- rotated(c, 4)
        b = (b ^ a) &- rotated(a, 14)
        return (c ^ b) &- rotated(b, 24)
    }
}
