import Foundation
import Synchronization

/// What commands print. `Swift.print` does not tell when a disk is full or a pipe closed; this does.
enum StandardOutput {
    /// The error number of the first write that failed; nothing is written after it.
    private static let failure = Atomic<Int32>(0)

    static var isBroken: Bool { failure.load(ordering: .relaxed) != 0 }

    /// To be called before anything else. A closed pipe becomes an error of the write. A stream that the caller has
    /// closed gets `/dev/null`, opened so that using it still fails: otherwise the next file that is opened would take
    /// its number, and what is printed would go there.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) == -1 {
            _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    static func write(_ text: String) {
        guard !isBroken, let error = write(text, to: STDOUT_FILENO) else { return }
        failure.store(error, ordering: .relaxed)
    }

    /// Says on standard error what went wrong with the output, and returns the code to exit with.
    ///
    /// - Parameter code: how the command ended otherwise; a failure of its own is kept.
    static func exitCode(after code: Int32) -> Int32 {
        let error = failure.load(ordering: .relaxed)
        // The reader has seen enough, as with `| head`. 141 is what a shell reports of programs that SIGPIPE ended.
        if error == EPIPE { return code == 0 ? 128 + SIGPIPE : code }
        guard error != 0 else { return code }
        complain("error: cannot write to standard output: \(String(cString: strerror(error)))")
        return code == 0 ? 1 : code
    }

    /// Writes all of a text; returns the error number where that fails.
    fileprivate static func write(_ text: String, to stream: Int32) -> Int32? {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let count = Foundation.write(stream, rest.baseAddress, rest.count)
                if count >= 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                } else if errno == EAGAIN {
                    var reader = pollfd(fd: stream, events: Int16(POLLOUT), revents: 0)
                    poll(&reader, 1, -1)
                } else if errno != EINTR {
                    return errno
                }
            }
            return nil
        }
    }
}

/// Stands for Swift's own `print` in this module, so that no command can lose what it prints.
func print(_ text: some CustomStringConvertible, terminator: String = "\n") {
    StandardOutput.write(text.description + terminator)
}

/// Prints text to standard error. A failure to write it is ignored: there is no other place to report it.
func complain(_ text: String, terminator: String = "\n") { _ = StandardOutput.write(text + terminator, to: STDERR_FILENO) }
