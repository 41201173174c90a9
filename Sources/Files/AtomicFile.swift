import Foundation

/// Files that are either the old version or the new one, whatever kills the process.
public enum AtomicFile {
    /// Writes beside `url`, syncs, renames over it and syncs the folder.
    public static func write(_ data: Data, to url: URL) throws {
        try replace(url) { aside in
            do { try data.write(to: aside) } catch { throw InputError(file: url.path, cannot: "write", because: error) }
        }
    }

    /// Where the files of a folder, and of the folders in it, are written before they are put in place.
    ///
    /// A file can be put in place only as long as its folder of drafts is there: who removes that has shut the writer out, at
    /// whatever moment the writer goes on.
    public struct Drafts: Sendable {
        let owner: String
        let folder: URL

        /// - Parameter folder: on the same file system as `owner`.
        public init(of owner: URL, in folder: URL) { (self.owner, self.folder) = (owner.path + "/", folder) }
    }

    /// Those that `replace` uses now; nil: beside the file.
    @TaskLocal public static var drafts: Drafts?

    /// Lets `produce` write a file at a temporary place, then puts it in place in one step.
    /// If `produce` throws, `url` is untouched and the temporary file is gone.
    public static func replace(_ url: URL, by produce: (URL) throws -> Void) throws {
        let beside = url.deletingLastPathComponent()
        let folder = drafts.flatMap { url.path.hasPrefix($0.owner) ? $0.folder : nil } ?? beside
        let aside = folder.appendingPathComponent(
            ".\(url.lastPathComponent).\(host).\(getpid()).\(UInt32.random(in: 0 ... .max)).part")
        do {
            try produce(aside)
            try sync(aside)
            guard rename(aside.path, url.path) == 0 else { throw InputError(file: url.path, cannot: "rename") }
            try sync(beside)
        } catch {
            unlink(aside.path)
            throw error
        }
    }

    /// Gives the file at `url` another name, under which `replace` does not touch it; what had that name is replaced.
    public static func link(_ url: URL, as other: URL) throws {
        var name = ""
        try replace(other) { aside in
            name = aside.path
            guard Foundation.link(url.path, name) == 0 else { throw InputError(file: other.path, cannot: "link to \(url.path)") }
        }
        // Renaming leaves both names where they are of one file already.
        unlink(name)
    }

    /// Whether a file of this name is the unfinished file of a process that is no more.
    ///
    /// Processes of this host can be asked for. What another host writes, or a process whose number was given away again,
    /// counts as left behind once nobody has touched it for an hour.
    public static func isLeftBehind(_ url: URL) -> Bool {
        let parts = url.lastPathComponent.split(separator: ".")
        var info = stat()
        guard url.lastPathComponent.hasPrefix("."), parts.last == "part", parts.count >= 4, lstat(url.path, &info) == 0 else {
            return false
        }
        if parts.count >= 5, parts[parts.count - 4] == host, let process = Int32(parts[parts.count - 3]),
            kill(process, 0) != 0, errno == ESRCH
        {
            return true
        }
        return Date().timeIntervalSince1970 - Double(info.st_mtim.tv_sec) > 3600
    }

    /// Removes what killed processes have left unfinished in a folder.
    public static func removeLeftovers(in folder: URL) throws {
        for name in try names(in: folder) where isLeftBehind(folder.appendingPathComponent(name)) {
            unlink(folder.appendingPathComponent(name).path)
        }
    }

    /// The kernel's name for this host, without the dots that separate the parts of a temporary name.
    private static let host: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }.replacingOccurrences(of: ".", with: "-")
    }()

    private static func sync(_ url: URL) throws {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputError(file: url.path, cannot: "open") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw InputError(file: url.path, cannot: "sync") }
    }
}
