internal import CHDF5
import Files
import Foundation

/// Every call into the HDF5 C library goes through here.
///
/// The library keeps global state and is not safe to enter from two threads, so every call holds one lock.
/// The lock is recursive: a call may be made inside the closure of another.
enum HDF5Library {
    private static let lock = NSRecursiveLock()
    /// At the end of the process the library would close what has been left open because it could not be written. Must be
    /// set before any other call.
    private static let staysAtExit: Void = { _ = H5dont_atexit() }()
    /// Where the library says why a call failed; guarded by `lock`, never freed.
    private nonisolated(unsafe) static let message = UnsafeMutablePointer<CChar>.allocate(capacity: H5_MESSAGE_SIZE)

    /// Runs `body`, which returns an identifier, a count or a status: negative means failure.
    ///
    /// - Parameters:
    ///   - file: the name that the error starts with.
    ///   - action: what was attempted, such as `read dataset 'tokens'`.
    @discardableResult
    static func call<Result: SignedInteger>(_ file: String, _ action: @autoclosure () -> String, _ body: () -> Result) throws
        -> Result
    {
        lock.lock()
        defer { lock.unlock() }
        _ = staysAtExit
        // Thread-safe builds of the library keep this setting per thread, so it is made each time.
        h5_note_failures(message)
        let result = body()
        guard result < 0 else { return result }
        throw failure(file, action(), String(cString: message))
    }

    /// Like `call` for releasing an identifier, where there is nothing to do about a failure.
    static func release(_ body: () -> herr_t) {
        lock.lock()
        defer { lock.unlock() }
        _ = staysAtExit
        h5_note_failures(message)
        _ = body()
    }

    /// Only what the library says of the content is proof of damage. Where a system call failed (its text has `errno`), memory
    /// was short, or the file is marked as open in another program, the file may be intact.
    private static func failure(_ file: String, _ action: String, _ message: String) -> InputError {
        if message.contains("No space left") || message.contains("Disk quota") {
            return InputError(file: file, "cannot \(action): the disk is full")
        }
        if message.contains("Read-only file system") || message.contains("Permission denied") {
            return InputError(file: file, "cannot \(action): no permission (\(message))")
        }
        if message.contains("unable to lock file") {
            return InputError(file: file, "cannot \(action): another program has it open for writing (\(message))")
        }
        if message.contains("already open") {
            return InputError(
                file: file,
                "cannot \(action): it is marked as open in another program (\(message)); if none has it open, 'h5clear -s' takes "
                    + "the mark away")
        }
        let isDamage = !message.isEmpty && !["errno", "alloc", "memory", "resource"].contains { message.lowercased().contains($0) }
        return InputError(
            file: file, isDamage: isDamage, "cannot \(action): \(message.isEmpty ? "HDF5 gave no reason" : message)")
    }
}

/// An HDF5 identifier that is closed when the last reference to it goes.
final class HDF5Identifier {
    let value: hid_t
    private let release: (hid_t) -> herr_t
    private var isOpen = true

    init(_ value: hid_t, closedBy release: @escaping (hid_t) -> herr_t) {
        self.value = value
        self.release = release
    }

    /// Closes now, so that a failure to write what was still in memory is not missed.
    func close(_ file: String) throws {
        guard isOpen else { return }
        isOpen = false
        try HDF5Library.call(file, "close") { release(value) }
    }

    /// Leaves it open for good.
    func abandon() { isOpen = false }

    deinit {
        if isOpen { HDF5Library.release { release(value) } }
    }
}
