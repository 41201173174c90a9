import Archives
import Files
import Foundation

/// The competition's files as they are handed out: a zip file, or the tree that it unpacks to.
///
///     LOC_synset_mapping.txt                   n01440764 tench, Tinca tinca
///     LOC_val_solution.csv                     ILSVRC2012_val_00048981,n03995372 85 1 499 272
///     ILSVRC/Annotations/CLS-LOC/val/*.xml     the same, where there is no list
///     ILSVRC/Data/CLS-LOC/train/n01440764/*.JPEG
///     ILSVRC/Data/CLS-LOC/val/*.JPEG
protocol ImageNetFiles: Sendable {
    /// What errors call it.
    var place: String { get }
    /// Changes when the pictures do, and costs no reading of them.
    func stamp() throws -> String
    /// Tells of every file there is: its path, bytes of content, and its place in the archive.
    func forEach(_ body: (_ path: String, _ size: Int, _ member: UInt64) throws -> Void) throws
    /// - Parameter member: as `forEach` told it.
    func content(of path: String, member: UInt64) throws -> Data
}

/// More than any of its pictures or lists has.
private let mostBytes = 1 << 28

/// The zip file. It is opened when something in it is first asked for: its directory alone takes seconds.
final class ImageNetZip: ImageNetFiles, @unchecked Sendable {
    private let url: URL
    private let lock = NSLock()
    private var opened: ZipMembers?
    var place: String { url.path }

    init(_ url: URL) { self.url = url }

    private func members() throws -> ZipMembers {
        try lock.withLock {
            if let opened { return opened }
            let members = try ZipMembers(reading: url)
            opened = members
            return members
        }
    }

    func stamp() throws -> String { try fileStamp(url.path) }
    func forEach(_ body: (String, Int, UInt64) throws -> Void) throws { try members().forEach(body) }
    func content(of path: String, member: UInt64) throws -> Data { Data(try members().content(at: member, name: path, atMost: mostBytes)) }
}

/// The unpacked tree.
struct ImageNetTree: ImageNetFiles {
    let root: URL
    var place: String { root.path }

    private static let train = "ILSVRC/Data/CLS-LOC/train", validation = "ILSVRC/Data/CLS-LOC/val"

    /// A folder's own time changes when a file in it comes or goes.
    func stamp() throws -> String {
        let folders = try names(in: root.appendingPathComponent(Self.train)).sorted().map { "\(Self.train)/\($0)" }
        let parts = try (folders + [Self.validation]).map { "\($0) \(try fileStamp("\(root.path)/\($0)"))" }
        return sha256(Data(parts.joined(separator: "\n").utf8))
    }

    func forEach(_ body: (String, Int, UInt64) throws -> Void) throws {
        for name in ImageNetLayout.lists where FileManager.default.fileExists(atPath: "\(root.path)/\(name)") { try body(name, 0, 0) }
        let train = root.appendingPathComponent(Self.train)
        for folder in try names(in: train).sorted() { try visit("\(Self.train)/\(folder)", body) }
        try visit(Self.validation, body)
        try visit("ILSVRC/Annotations/CLS-LOC/val", body)
    }

    private func visit(_ folder: String, _ body: (String, Int, UInt64) throws -> Void) throws {
        for name in try names(in: root.appendingPathComponent(folder)) {
            let path = "\(folder)/\(name)"
            var status = Foundation.stat()
            guard stat("\(root.path)/\(path)", &status) == 0 else {
                throw InputError(file: "\(root.path)/\(path)", "cannot be read: \(String(cString: strerror(errno)))")
            }
            if status.st_mode & S_IFMT == S_IFREG { try body(path, Int(status.st_size), 0) }
        }
    }

    func content(of path: String, member: UInt64) throws -> Data { try FileContent.read("\(root.path)/\(path)", atMost: mostBytes) }
}

private func fileStamp(_ path: String) throws -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { throw InputError(file: path, "cannot be read: \(String(cString: strerror(errno)))") }
    return "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
}
