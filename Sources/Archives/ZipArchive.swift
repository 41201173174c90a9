import CZip
import Files
import Foundation

/// Reads the members of a zip file through libzip, from any thread.
public struct ZipArchive: Sendable {
    /// What errors call the file.
    public let file: String
    private let handle: ZipHandle
    private let places: [ExactName: UInt64]
    /// Names of all members, in the order of the directory.
    public let names: [String]

    /// Opens a file and reads its directory.
    /// - Throws: `InputError` naming the file if it is not a whole zip file.
    public init(reading url: URL) throws {
        file = url.path
        handle = try ZipHandle(reading: url)
        names = try handle.names()
        // Where a name stands twice the later member replaces the earlier one.
        places = Dictionary(
            names.enumerated().map { (ExactName($1), UInt64($0)) }, uniquingKeysWith: { $1 })
    }

    /// The content of a member.
    ///
    /// - Parameter limit: bytes that are read at most.
    /// - Throws: `InputError` naming file and member if there is none of that name (and the nearest one that there is), it
    ///   is larger than `limit`, packed in a way that libzip cannot undo, or damaged.
    public func content(of name: String, atMost limit: Int = .max) throws -> [UInt8] {
        let reader = try reader(of: name)
        guard reader.size <= limit else {
            throw InputError(file: file, "member '\(name)' unfolds to \(reader.size) bytes, more than the \(limit) that are read")
        }
        return try reader.readAll()
    }

    /// Reads a member part by part. Throws as `content(of:)` does, in part only while reading.
    public func reader(of name: String) throws -> ZipMemberReader {
        try ZipMemberReader(handle, at: try place(of: name), name: name)
    }

    /// Writes members that are packed; what was there stays until the new file is complete. The same content gives the same
    /// bytes, as long as zlib packs alike.
    public static func write(_ members: [(name: String, content: Data)], to url: URL) throws {
        try AtomicFile.replace(url) { aside in
            try ZipWriter.write(to: aside, called: url.path) { try add(members[...], to: $0) }
        }
    }

    /// Each member lends its memory until the file is finished.
    private static func add(_ members: ArraySlice<(name: String, content: Data)>, to zip: ZipWriter.ZipMembers) throws {
        guard let (name, content) = members.first else { return try zip.finish() }
        try content.withUnsafeBytes { bytes in
            try zip.add(name, parts: [bytes], isPacked: true)
            try add(members.dropFirst(), to: zip)
        }
    }

    private func place(of name: String) throws -> UInt64 {
        guard let place = places[ExactName(name)] else {
            let hint = nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? "; it has \(names)"
            throw InputError(file: file, "has no member '\(name)'\(hint)")
        }
        return place
    }
}

/// An open zip file. libzip may be entered by one thread at a time for each of these.
final class ZipHandle: @unchecked Sendable {
    let file: String
    private let archive: OpaquePointer
    private let lock = NSLock()

    init(reading url: URL) throws {
        file = url.path
        try RegularFile.check(url)
        var code: Int32 = 0
        guard let archive = zip_open(url.path, ZIP_RDONLY, &code) else {
            var error = zip_error_t()
            zip_error_init_with_code(&error, code)
            defer { zip_error_fini(&error) }
            let reason = zip_error_strerror(&error).map { String(cString: $0) } ?? "error \(code)"
            throw InputError(file: url.path, "is not a readable zip file, or is truncated: \(reason)")
        }
        self.archive = archive
    }

    deinit { zip_discard(archive) }

    func entered<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
        try lock.withLock { try body(archive) }
    }

    func names() throws -> [String] {
        try entered { archive in
            try (0..<UInt64(max(0, zip_get_num_entries(archive, 0)))).map { place in
                guard let name = zip_get_name(archive, place, 0) else {
                    throw InputError(file: file, "the zip directory cannot be read: \(reason(archive))")
                }
                return String(cString: name)
            }
        }
    }

    /// What the directory says of a member.
    func status(at place: UInt64, name: String) throws -> (size: Int, crc: UInt32, method: Int, isEncrypted: Bool) {
        try entered { archive in
            var status = zip_stat_t()
            guard zip_stat_index(archive, place, 0, &status) == 0, let size = Int(exactly: status.size) else {
                throw InputError(file: file, "member '\(name)' cannot be looked up: \(reason(archive))")
            }
            return (size, status.crc, Int(status.comp_method), status.encryption_method != 0)
        }
    }

    /// libzip's own words on what failed last; call only when entered.
    func reason(_ archive: OpaquePointer) -> String { zip_strerror(archive).map { String(cString: $0) } ?? "unknown error" }
}
