import Archives
import Files
import Foundation

/// Files by their paths, with '/' between the parts: those below a folder, or those in a zip file. Paths are told apart by
/// their bytes.
protocol PictureFiles: Sendable {
    /// What errors call it.
    var place: String { get }
    /// What is in a folder ('' is the outermost), hidden files left out, in order of bytes.
    func entries(in folder: String) throws -> [PictureEntry]
    func content(of path: String) throws -> Data
    /// Changes when the file does, and costs no reading of it.
    func stamp(of path: String) throws -> String
}

struct PictureEntry: Sendable {
    enum Kind: Sendable {
        case folder, file
        /// Neither can be told, and why.
        case unusable(String)
    }

    let name: String
    let kind: Kind

    /// Hidden files, and what macOS adds to zip files.
    static func isHidden(_ name: String) -> Bool { name.hasPrefix(".") || name == "__MACOSX" }
}

extension PictureFiles {
    static func join(_ folder: String, _ name: String) -> String { folder.isEmpty ? name : "\(folder)/\(name)" }

    /// The path as errors say it.
    func name(of path: String) -> String { path.isEmpty ? place : "\(place)/\(path)" }

    /// A PNG or JPEG; the content says which, as names are often wrong.
    func picture(_ path: String, content: Data? = nil) throws -> Picture {
        let content = try content ?? self.content(of: path)
        if content.starts(with: [0x89, 0x50, 0x4E]) { return try PNG.decode(content, file: name(of: path)) }
        if content.starts(with: [0xFF, 0xD8, 0xFF]) { return try JPEG.decode(content, file: name(of: path)) }
        throw InputError(file: name(of: path), "is no PNG or JPEG picture")
    }
}

/// More than any picture takes that is read.
private let mostBytes = 1 << 28

struct FolderFiles: PictureFiles {
    let root: URL
    var place: String { root.path }

    func entries(in folder: String) throws -> [PictureEntry] {
        let path = name(of: folder)
        guard let stream = opendir(path) else {
            throw InputError(file: path, "cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { closedir(stream) }
        var entries: [PictureEntry] = []
        errno = 0
        while let entry = readdir(stream) {
            let length = Int(entry.pointee.d_reclen) - (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
            let bytes = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: length) { name in
                    Array(UnsafeBufferPointer(start: name, count: length).prefix { $0 != 0 })
                }
            }
            let name = String(decoding: bytes, as: UTF8.self)
            if !PictureEntry.isHidden(name) {
                let kind = name.utf8.elementsEqual(bytes) ? kind("\(path)/\(name)", in: path) : .unusable("has a name that is no UTF-8")
                entries.append(PictureEntry(name: name, kind: kind))
            }
            errno = 0
        }
        guard errno == 0 else { throw InputError(file: path, "cannot be read: \(String(cString: strerror(errno)))") }
        return entries.sorted { ExactName($0.name) < ExactName($1.name) }
    }

    private func kind(_ path: String, in folder: String) -> PictureEntry.Kind {
        var (own, status) = (stat(), stat())
        guard lstat(path, &own) == 0, stat(path, &status) == 0 else {
            let reason = String(cString: strerror(errno))
            return .unusable(own.st_mode & S_IFMT == S_IFLNK ? "is a link that leads nowhere: \(reason)" : "cannot be read: \(reason)")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR:
            // Only a link can lead back to a folder that it lies in.
            let isLink = own.st_mode & S_IFMT == S_IFLNK
            return isLink && Self.isInside(folder, path) ? .unusable("is a link that leads back to where it lies") : .folder
        default: return .unusable("is no file and no folder")
        }
    }

    private static func isInside(_ inner: String, _ outer: String) -> Bool {
        guard let inner = realpath(inner, nil), let outer = realpath(outer, nil) else { return true }
        defer { free(inner); free(outer) }
        return "\(String(cString: inner))/".utf8.starts(with: "\(String(cString: outer))/".utf8)
    }

    func content(of path: String) throws -> Data { try FileContent.read(name(of: path), atMost: mostBytes) }

    func stamp(of path: String) throws -> String {
        var status = stat()
        guard stat(name(of: path), &status) == 0 else {
            throw InputError(file: name(of: path), "cannot be read: \(String(cString: strerror(errno)))")
        }
        return "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    }
}

struct ZipFiles: PictureFiles {
    private let archive: ZipArchive
    private let inside: [ExactName: [PictureEntry]]
    /// What a member is called in the file, by its path, where that is something else.
    private let members: [ExactName: String]
    let place: String

    init(_ url: URL) throws {
        archive = try ZipArchive(reading: url)
        place = url.path
        var folders: [ExactName: Set<ExactName>] = [ExactName(""): []]
        var members: [ExactName: String] = [:]
        for name in archive.names {
            let parts = Self.parts(name)
            guard !parts.contains("..") else { throw InputError(file: url.path, "member '\(name)' leads out of the zip file") }
            let isFolder = name.hasSuffix("/") || name.hasSuffix("\\")
            var path = ""
            for (depth, part) in parts.enumerated() {
                folders[ExactName(path), default: []].insert(ExactName(part))
                path = Self.join(path, part)
                if depth + 1 < parts.count || isFolder { folders[ExactName(path), default: []].formUnion([]) }
            }
            // Of two members of one path the later one counts, whatever the earlier one was called.
            if !isFolder, members[ExactName(path)] != nil || !path.utf8.elementsEqual(name.utf8) { members[ExactName(path)] = name }
        }
        self.members = members
        var inside: [ExactName: [PictureEntry]] = [:]
        for (folder, names) in folders {
            inside[folder] = names.filter { !PictureEntry.isHidden($0.text) }.sorted().map { name in
                let isFolder = folders[ExactName(Self.join(folder.text, name.text))] != nil
                return PictureEntry(name: name.text, kind: isFolder ? .folder : .file)
            }
        }
        self.inside = inside
    }

    /// `./` before a name says nothing; some programs for Windows write '\' for '/'.
    private static func parts(_ name: String) -> [String] {
        let separator: Character = name.utf8.contains(UInt8(ascii: "/")) ? "/" : "\\"
        return name.utf8.split(separator: separator.asciiValue ?? 0).compactMap { String($0) }.filter { $0 != "." }
    }

    func entries(in folder: String) throws -> [PictureEntry] { inside[ExactName(folder)] ?? [] }
    func content(of path: String) throws -> Data { Data(try archive.content(of: member(path), atMost: mostBytes)) }
    func stamp(of path: String) throws -> String { try archive.checksum(of: member(path)) }
    private func member(_ path: String) -> String { members[ExactName(path)] ?? path }
}
