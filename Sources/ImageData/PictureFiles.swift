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
    /// More than any picture takes that is read.
    static var mostBytes: Int { 1 << 28 }

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
        var own = stat()
        guard lstat(path, &own) == 0 else { return .unusable("cannot be read: \(String(cString: strerror(errno)))") }
        let isLink = own.st_mode & S_IFMT == S_IFLNK
        var status = own
        guard !isLink || stat(path, &status) == 0 else {
            return .unusable("is a link that leads nowhere: \(String(cString: strerror(errno)))")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR:
            // Only a link can lead back to a folder that it lies in.
            return isLink && Self.isInside(folder, path) ? .unusable("is a link that leads back to where it lies") : .folder
        default: return .unusable("is no file and no folder")
        }
    }

    private static func isInside(_ inner: String, _ outer: String) -> Bool {
        guard let inner = realpath(inner, nil), let outer = realpath(outer, nil) else { return true }
        defer { free(inner); free(outer) }
        return "\(String(cString: inner))/".utf8.starts(with: "\(String(cString: outer))/".utf8)
    }

    func content(of path: String) throws -> Data { try FileContent.read(name(of: path), atMost: Self.mostBytes) }

    func stamp(of path: String) throws -> String {
        var status = stat()
        guard stat(name(of: path), &status) == 0 else {
            throw InputError(file: name(of: path), "cannot be read: \(String(cString: strerror(errno)))")
        }
        return "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    }
}
