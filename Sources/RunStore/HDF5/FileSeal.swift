import Files
import Foundation

/// A checksum behind the end of an HDF5 file, which readers of HDF5 do not see.
///
/// The HDF5 library trusts the bytes it reads: a damaged file can make it crash. So files that are written as a whole are
/// sealed, and a seal that does not match is an error before the library sees the file. A program that opens the file for
/// writing cuts the seal off.
enum FileSeal {
    private static let mark = Data("\nsha256 ".utf8)
    /// The mark, 64 hexadecimal digits, a newline.
    static let length = mark.count + 65

    /// Appends the checksum of all that is in the file.
    ///
    /// - Parameter name: what errors call the file.
    static func seal(_ url: URL, called name: String) throws {
        let line = mark + Data("\(try sha256(file: url))\n".utf8)
        let descriptor = open(url.path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputError(file: name, cannot: "open") }
        defer { close(descriptor) }
        guard line.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) == line.count else {
            throw InputError(file: name, cannot: "write")
        }
    }

    /// The digits of the seal, and how many bytes they are of; nil where there is none.
    static func read(_ url: URL) throws -> (digest: String, content: Int)? {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputError(file: url.path, cannot: "open") }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw InputError(file: url.path, cannot: "read") }
        let content = Int(info.st_size) - length
        guard content > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: length)
        guard pread(descriptor, &bytes, length, off_t(content)) == length else { throw InputError(file: url.path, cannot: "read") }
        guard bytes.starts(with: mark), bytes.last == UInt8(ascii: "\n") else { return nil }
        return (String(decoding: bytes[mark.count..<length - 1], as: UTF8.self), content)
    }

    /// What a checksum that does not match means. While another program has an HDF5 file open for writing it is marked so in the
    /// file; that goes when the program closes it.
    static func mismatch(in url: URL, _ verdict: String) -> InputError {
        FileLock.isHeld(url)
            ? InputError(file: url.path, "cannot be read: another program has it open for writing")
            : InputError(file: url.path, isDamage: true, "\(verdict): its content does not match its checksum")
    }

    /// Throws an `InputError` if the file is sealed and is not what was sealed. A missing file is left to the library, whose message is better.
    static func check(_ url: URL) throws {
        guard try isPresent(url), let seal = try read(url) else { return }
        guard try FileDigests.shared.digest(of: url) == seal.digest else {
            throw mismatch(in: url, "is damaged")
        }
    }
}
