import Files
import Foundation

/// An exclusive `flock` on a file, which the kernel lets go of when the process dies, however it dies.
///
/// The lock belongs to the open file, not to the process: two claims inside one process exclude each other too.
final class FileLock {
    private let descriptor: Int32

    /// Waits for the lock, runs `body` and lets go.
    static func exclusively<Result>(_ url: URL, _ body: () throws -> Result) throws -> Result {
        try withExtendedLifetime(FileLock(url), body)
    }

    /// Whether someone holds the lock now, as far as can be seen. Asks with a shared lock, for a moment: who tries to claim it meanwhile finds
    /// it taken and has to try again.
    static func isHeld(_ url: URL) -> Bool {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    private init(_ url: URL) throws {
        while true {
            var descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            if descriptor < 0, errno == ENOENT {
                // Its folder has been swept away since we made it.
                try RecordFile.makeDirectory(url.deletingLastPathComponent())
                descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            }
            guard descriptor >= 0 else { throw InputError(file: url.path, cannot: "open the lock file") }
            var status: Int32
            repeat { status = flock(descriptor, LOCK_EX) } while status != 0 && errno == EINTR
            if status != 0 {
                let code = errno
                close(descriptor)
                throw InputError(file: url.path, cannot: "lock", code: code)
            }
            // The file may have been removed, or replaced, between opening and locking.
            var mine = stat()
            var current = stat()
            if fstat(descriptor, &mine) == 0, stat(url.path, &current) == 0, mine.st_ino == current.st_ino {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    deinit { close(descriptor) }
}
