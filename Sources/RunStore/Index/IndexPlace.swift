import Files
import Foundation

extension Store {
    /// Where the index lies: in the store; where other hosts work on the store as well, on a disk of this host, because SQLite's locks and
    /// its shared memory do not reach other hosts. Each host then has an index of its own, which follows the files.
    public var indexFile: URL { Self.indexFile(of: directory, isShared: isShared) }

    /// The same for a store that is not opened.
    public static func indexFile(of directory: URL, isShared: Bool) -> URL {
        let name = "index.sqlite"
        guard isShared else { return directory.appendingPathComponent(name) }
        let key = String(sha256(Data(directory.resolvingSymlinksInPath().path.utf8)).prefix(16))
        return ownCache.appendingPathComponent("index/\(key)/\(name)")
    }

    /// The user's cache folder, as the XDG Base Directory Specification has it; where home is shared as well, the folder for temporary files.
    private static var ownCache: URL {
        let environment = ProcessInfo.processInfo.environment
        let named = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        let cache = (named.map { URL(fileURLWithPath: $0) } ?? URL(fileURLWithPath: NSHomeDirectory() + "/.cache"))
            .appendingPathComponent("prologue")
        guard FileSystem(of: cache).isShared else { return cache }
        return FileManager.default.temporaryDirectory.appendingPathComponent("prologue-\(getuid())")
    }
}
