import CZip
import Files

/// Reads a member of a zip file from front to back, part by part; its size and checksum are checked with the last part.
public final class ZipMemberReader {
    /// Bytes of content, as the directory says.
    public let size: Int
    private let handle: ZipHandle
    private let name: String
    private let member: OpaquePointer
    private var produced = 0
    private var isChecked = false

    init(_ handle: ZipHandle, at place: UInt64, name: String) throws {
        let status = try handle.status(at: place, name: name)
        (self.handle, self.name, size) = (handle, name, status.size)
        member = try handle.entered { archive in
            if status.isEncrypted { throw InputError(file: handle.file, "member '\(name)' is encrypted") }
            guard let member = zip_fopen_index(archive, place, 0) else {
                throw InputError(
                    file: handle.file,
                    "member '\(name)', packed by method \(status.method), cannot be read: \(handle.reason(archive))")
            }
            return member
        }
    }

    deinit { handle.entered { _ in _ = zip_fclose(member) } }

    /// The next `count` bytes, or those that are left.
    /// - Throws: `InputError` naming file and member where it is damaged.
    public func read(_ count: Int) throws -> [UInt8] {
        let wanted = min(count, size - produced)
        let part = try fetched(wanted)
        produced += part.count
        guard part.count == wanted else { throw damaged("holds \(produced) bytes where the directory says \(size)") }
        if produced == size, !isChecked {
            // libzip compares the checksum when it finds no more, which is also where a small file may unfold without end.
            guard try fetched(1).isEmpty else { throw damaged("unfolds to more than the \(size) bytes that the directory says") }
            isChecked = true
        }
        return part
    }

    /// All that is left. The size is what the directory claims: memory is asked for as the content comes.
    func readAll() throws -> [UInt8] {
        let part = 1 << 24
        try MemoryClaim.require(size - produced, file: handle.file, "member '\(name)'")
        var content = try read(part)
        while produced < size { content += try read(part) }
        return content
    }

    private func fetched(_ count: Int) throws -> [UInt8] {
        var failure: String?
        let part = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            handle.entered { _ in
                filled = 0
                while filled < count, let start = buffer.baseAddress {
                    let got = zip_fread(member, start + filled, UInt64(count - filled))
                    if got < 0 { failure = zip_file_strerror(member).map { String(cString: $0) } ?? "unknown error" }
                    guard got > 0 else { break }
                    filled += Int(got)
                }
            }
        }
        if let failure { throw damaged("is damaged: \(failure)") }
        return part
    }

    private func damaged(_ what: String) -> InputError { InputError(file: handle.file, "member '\(name)' \(what)") }
}
