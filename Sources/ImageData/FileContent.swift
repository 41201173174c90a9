import Files
import Foundation

/// Whole files, read where they may be a stranger's.
enum FileContent {
    /// Larger files are refused before memory is asked for.
    static let mostBytes = 1 << 30

    /// - Parameter limit: bytes that are read at most.
    /// - Throws: `InputError` naming the file and the system's reason.
    static func read(_ path: String, atMost limit: Int = mostBytes) throws -> Data {
        func failure() -> InputError { InputError(file: path, "cannot be read: \(String(cString: strerror(errno)))") }
        try RegularFile.check(URL(fileURLWithPath: path))
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure() }
        let size = Int(status.st_size)
        guard size <= limit else { throw InputError(file: path, "has \(size) bytes, more than the \(limit) that are read") }
        var content = Data(count: size)
        var filled = 0
        try content.withUnsafeMutableBytes { buffer in
            while filled < size {
                let got = Foundation.read(descriptor, buffer.baseAddress?.advanced(by: filled), size - filled)
                if got < 0, errno == EINTR { continue }
                guard got >= 0 else { throw failure() }
                guard got > 0 else { break }
                filled += got
            }
        }
        return content.prefix(filled)
    }
}
