import Files
import Foundation

/// A checksum behind the end of an HDF5 file, which readers of HDF5 do not see.
///
/// The HDF5 library trusts the bytes it reads: a damaged file can make it crash. So files that are written as a whole are
/// sealed, and a seal that does not match is an error before the library sees the file. A file that another program has
/// written or extended has no seal, and is taken as it is.
enum FileSeal {
    private static let mark = Data("\nsha256 ".utf8)
    /// The mark, 64 hexadecimal digits, a newline.
    private static let length = mark.count + 65

    /// Appends the checksum of all that is in the file.
    ///
    /// - Parameter name: what errors call the file.
    static func seal(_ url: URL, called name: String) throws {
        let descriptor = open(url.path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", name) }
        defer { close(descriptor) }
        let line = mark + Data("\(sha256(try Data(contentsOf: url, options: .alwaysMapped)))\n".utf8)
        guard line.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) == line.count else {
            throw failure("write", name)
        }
    }

    /// Throws an `InputError` if the file is sealed and is not what was sealed.
    static func check(_ url: URL) throws {
        // What cannot be opened or is empty, the library names better.
        guard let data = try? Data(contentsOf: url, options: .alwaysMapped), data.count > length else { return }
        let content = data.count - length
        guard data[content..<content + mark.count] == mark else { return }
        guard data[(content + mark.count)...] == Data("\(sha256(data.prefix(content)))\n".utf8) else {
            throw InputError(file: url.path, "is damaged: its content does not match its checksum")
        }
    }

    private static func failure(_ call: String, _ name: String) -> InputError {
        InputError(file: name, "cannot \(call): \(String(cString: strerror(errno)))")
    }
}
