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
    static func seal(_ url: URL) throws {
        let digest = sha256(try Data(contentsOf: url, options: .alwaysMapped))
        let file = try FileHandle(forWritingTo: url)
        defer { try? file.close() }
        try file.seekToEnd()
        try file.write(contentsOf: mark + Data("\(digest)\n".utf8))
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
}
