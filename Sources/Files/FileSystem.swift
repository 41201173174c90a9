import Foundation

/// The kind of file system that a folder lies on, as far as it matters to what is kept there.
///
/// On those that several hosts share, locks may not reach the other hosts, memory maps show each host another content, and what
/// one host has written another may see only once the file is opened anew.
public struct FileSystem: Equatable, Sendable {
    /// As the kernel calls it: `ext4`, `nfs4`, `lustre`, `fuse.sshfs`.
    public let name: String
    /// Whether other hosts may work on the same files.
    public let isShared: Bool

    /// Of the nearest folder at or above `url` that is there.
    public init(of url: URL) {
        self.init(of: url, mounts: (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? "")
    }

    /// The same; `PROLOGUE_SHARED_STORE` says for all stores that they are shared (`1`), or that none is (`0`): for tests, and for what is
    /// told wrong here.
    public init(ofStore url: URL) {
        let found = FileSystem(of: url)
        switch getenv("PROLOGUE_SHARED_STORE").map({ String(cString: $0) }) {
        case "1": self = FileSystem(name: found.name, isShared: true)
        case "0": self = FileSystem(name: found.name, isShared: false)
        default: self = found
        }
    }

    private init(name: String, isShared: Bool) { (self.name, self.isShared) = (name, isShared) }

    /// - Parameter mounts: lines as in /proc/self/mountinfo (proc(5)): the fifth word is where, the first behind a lone hyphen what is mounted.
    package init(of url: URL, mounts: String) {
        var place = url.standardizedFileURL
        while access(place.path, F_OK) != 0, place.pathComponents.count > 1 { place.deleteLastPathComponent() }
        let path =
            realpath(place.path, nil).map { pointer in
                defer { free(pointer) }
                return String(cString: pointer)
            } ?? place.path
        var best: (length: Int, name: String) = (-1, "unknown")
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 6, let hyphen = words[6...].firstIndex(of: "-"), hyphen + 1 < words.count else { continue }
            let point = Self.unescaped(words[4])
            guard path == point || path.hasPrefix(point.hasSuffix("/") ? point : point + "/") else { continue }
            // Of two at one place, the later one covers the other.
            if point.utf8.count >= best.length { best = (point.utf8.count, String(words[hyphen + 1])) }
        }
        self.init(name: best.name, isShared: Self.isShared(best.name))
    }

    /// File systems in user space (`fuse.…`) can be anything, sshfs and GlusterFS among others, and so count as shared.
    private static func isShared(_ name: String) -> Bool { shared.contains(name) || name == "fuse" || name.hasPrefix("fuse.") }

    private static let shared: Set = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "afs", "9p", "virtiofs", "ocfs2", "gfs2", "beegfs", "panfs",
        "pvfs2", "orangefs", "glusterfs", "wekafs", "vboxsf", "prl_fs", "coda", "acfs", "davfs",
    ]

    /// Blanks and the like are written as `\040`, in octal.
    private static func unescaped(_ text: Substring) -> String {
        text.replacing(/\\([0-7]{3})/) { match in
            String(UnicodeScalar(UInt8(match.1, radix: 8) ?? 63))
        }.description
    }
}
