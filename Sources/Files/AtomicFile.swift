import Foundation

/// Files that are either the old version or the new one, whatever kills the process.
public enum AtomicFile {
    /// Writes beside `url`, syncs, renames over it and syncs the folder.
    public static func write(_ data: Data, to url: URL) throws {
        try replace(url) { try data.write(to: $0) }
    }

    /// Lets `produce` write a file at a temporary place beside `url`, then puts it in place in one step.
    /// If `produce` throws, `url` is untouched and the temporary file is gone.
    public static func replace(_ url: URL, by produce: (URL) throws -> Void) throws {
        let aside = url.deletingLastPathComponent()
            .appendingPathComponent(".\(url.lastPathComponent).\(getpid()).\(UInt32.random(in: 0 ... .max)).part")
        do {
            try produce(aside)
            try sync(aside)
            guard rename(aside.path, url.path) == 0 else { throw systemError("rename", url) }
            try sync(url.deletingLastPathComponent())
        } catch {
            unlink(aside.path)
            throw error
        }
    }

    private static func sync(_ url: URL) throws {
        let descriptor = open(url.path, O_RDONLY)
        guard descriptor >= 0 else { throw systemError("open", url) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw systemError("fsync", url) }
    }

    private static func systemError(_ call: String, _ url: URL) -> InputError {
        InputError(file: url.path, "cannot \(call): \(String(cString: strerror(errno)))")
    }
}
