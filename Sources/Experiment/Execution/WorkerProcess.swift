import Files
import Foundation

/// A worker process as its coordinator sees it: three pipes and the stage it works on.
final class WorkerProcess {
    let number: Int
    /// The stage that it works on.
    private(set) var stage: String?
    /// The last lines that it wrote to standard error since it began its stage: the backtrace, where it crashed.
    private(set) var errors: [String] = []

    let events, errorOutput: Int32
    private var orders: Int32
    private let process: pid_t
    private var eventLines = LineBuffer()
    private var errorLines = LineBuffer()

    private static let errorLimit = 200

    /// Starts `program` with its arguments; `environment` is added to ours.
    init(number: Int, program: String, arguments: [String], environment: [String: String]) throws {
        self.number = number
        let (input, output, error) = (try Self.makePipe(), try Self.makePipe(), try Self.makePipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The pipes themselves close in the child: a worker that held another's end would keep it from noticing ours.
        posix_spawn_file_actions_adddup2(&actions, input.read, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output.write, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, error.write, STDERR_FILENO)
        // Signals may be blocked in the thread that we are on; a worker has to hear them.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var nothing = sigset_t()
        sigemptyset(&nothing)
        posix_spawnattr_setsigmask(&attributes, &nothing)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let merged = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
        var child = pid_t()
        let failure = Self.withCStrings([program] + arguments) { arguments in
            Self.withCStrings(merged) { posix_spawn(&child, program, &actions, &attributes, arguments, $0) }
        }
        for descriptor in [input.read, output.write, error.write] { Foundation.close(descriptor) }
        (orders, events, errorOutput) = (input.write, output.read, error.read)
        process = child
        guard failure == 0 else {
            throw InputError(file: program, cannot: "start a worker process", code: failure)
        }
    }

    /// Sends a stage; what becomes of it comes back as a message.
    func begin(_ order: WorkerOrder) throws {
        stage = order.stage
        errors = []
        // If it is dead already, the end of its events tells.
        _ = MessageLine.write(try MessageLine.encode(order), to: orders)
    }

    func end() { stage = nil }

    /// Closes its input: it stops what it is at, and ends.
    func dismiss() {
        if orders >= 0 { Foundation.close(orders) }
        orders = -1
    }

    /// The messages that can be read now; nil once it has closed its output.
    func readEvents() -> [WorkerMessage]? {
        guard let bytes = Self.read(events) else { return nil }
        return eventLines.append(bytes).compactMap { try? MessageLine.decode($0) }
    }

    /// The lines on its standard error that can be read now; nil once it has closed it.
    func readErrors() -> [String]? {
        guard let bytes = Self.read(errorOutput) else { return nil }
        let lines = errorLines.append(bytes).map { String(decoding: $0, as: UTF8.self) }
        errors = (errors + lines).suffix(Self.errorLimit)
        return lines
    }

    /// Waits for its end, after its output has ended; says how it was, and whether from outside.
    func wait() -> (description: String, isFromOutside: Bool) {
        dismiss()
        while readErrors() != nil {}
        for descriptor in [events, errorOutput] { Foundation.close(descriptor) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        if signal == 0 { return ("worker \(number) ended with code \((status >> 8) & 0xFF)", false) }
        let name = strsignal(signal).map { String(cString: $0) } ?? "?"
        return (
            "worker \(number) was ended by signal \(signal) (\(name))",
            [SIGKILL, SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGUSR2].contains(signal)
        )
    }

    // MARK: System calls

    private static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw InputError(file: "worker", cannot: "make a pipe")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Waits for bytes; nil at the end.
    private static func read(_ descriptor: Int32) -> Data? {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Foundation.read(descriptor, &bytes, bytes.count)
            if count > 0 { return Data(bytes[..<count]) }
            if count == 0 || errno != EINTR { return nil }
        }
    }

    private static func withCStrings<Result>(
        _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    }
}
