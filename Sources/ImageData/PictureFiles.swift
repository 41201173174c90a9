import Archives
import Files
import Foundation

/// Files by their paths, with '/' between the parts: those below a folder, or those in a zip file.
protocol PictureFiles: Sendable {
    /// What errors call it.
    var place: String { get }
    /// What is in a folder ('' is the outermost), hidden files left out, in order of bytes.
    func names(in folder: String) throws -> [String]
    func isFolder(_ path: String) -> Bool
    func content(of path: String) throws -> Data
    /// Changes when the file does, and costs no reading of it.
    func stamp(of path: String) throws -> String
}

extension PictureFiles {
    func folders(in folder: String) throws -> [String] {
        try names(in: folder).filter { isFolder(Self.join(folder, $0)) }
    }

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

    /// Names that are kept, in order of bytes.
    fileprivate static func visible(_ names: some Sequence<String>) -> [String] {
        names.filter { !$0.hasPrefix(".") && $0 != "__MACOSX" }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

struct FolderFiles: PictureFiles {
    let root: URL
    var place: String { root.path }

    private func url(_ path: String) -> URL { path.isEmpty ? root : root.appendingPathComponent(path) }

    func names(in folder: String) throws -> [String] {
        do { return Self.visible(try FileManager.default.contentsOfDirectory(atPath: url(folder).path)) } catch {
            throw InputError(file: name(of: folder), "cannot be read: \(error.localizedDescription)")
        }
    }

    func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: url(path).path, isDirectory: &isFolder) && isFolder.boolValue
    }

    func content(of path: String) throws -> Data {
        do { return try Data(contentsOf: url(path)) } catch {
            throw InputError(file: name(of: path), "cannot be read: \(error.localizedDescription)")
        }
    }

    func stamp(of path: String) throws -> String {
        var status = stat()
        guard stat(url(path).path, &status) == 0 else {
            throw InputError(file: name(of: path), "cannot be read: \(String(cString: strerror(errno)))")
        }
        return "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    }
}

struct ZipFiles: PictureFiles {
    private let archive: ZipArchive
    /// What is in each folder; a file has no entry.
    private let inside: [String: [String]]
    let place: String

    init(_ url: URL) throws {
        archive = try ZipArchive(reading: url)
        place = url.path
        var inside: [String: Set<String>] = ["": []]
        for name in archive.names {
            var folder = ""
            let parts = name.split(separator: "/").map(String.init)
            for (depth, part) in parts.enumerated() {
                inside[folder, default: []].insert(part)
                folder = Self.join(folder, part)
                if depth + 1 < parts.count || name.hasSuffix("/") { inside[folder, default: []].formUnion([]) }
            }
        }
        self.inside = inside.mapValues(Self.visible)
    }

    func names(in folder: String) throws -> [String] { inside[folder] ?? [] }
    func isFolder(_ path: String) -> Bool { inside[path] != nil }
    func content(of path: String) throws -> Data { Data(try archive.content(of: path)) }
    func stamp(of path: String) throws -> String { try archive.checksum(of: path) }
}
