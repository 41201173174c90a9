import Files
import Foundation

/// Who is working on a stage, as its lock file says.
public struct StageOwner: Codable, Equatable, Sendable {
    public var host: String
    public var process: Int32
    public var started: Date
    /// Counts up while the owner lives. Watched for change only: clocks play no part.
    var beat: Int

    public static var current: StageOwner {
        StageOwner(host: Machine.hostName, process: getpid(), started: Date(), beat: 0)
    }

    /// False where it is a process of this host that is no more. A process on another host is taken at its word.
    public var mayLive: Bool { host != Machine.hostName || kill(process, 0) == 0 || errno != ESRCH }

    public var description: String { "process \(process) on \(host)" }
}

/// How long the claims of stages wait, in seconds.
public struct LockTiming: Sendable {
    /// Between two signs of life of an owner.
    public var heartbeat: Double
    /// Without a sign of life before an owner on another host counts as dead.
    public var staleAfter: Double
    /// Between two looks of a process that waits.
    public var poll: Double
    /// Seconds on a clock that only goes forward.
    package var now: @Sendable () -> Double = { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

    public init(heartbeat: Double = 10, staleAfter: Double = 60, poll: Double = 0.25) {
        self.heartbeat = heartbeat
        self.staleAfter = staleAfter
        self.poll = poll
    }
}

/// The exclusive right to work on a stage.
///
/// On one host `flock` says exactly whether the owner lives. Where several hosts share a file system that does not
/// carry locks between them, the owner's heartbeat does: a lock of another host whose heartbeat does not change for
/// `staleAfter`, on the waiter's own monotonic clock, is taken over.
final class StageLock {
    private let lock: FileLock
    private let heartbeat: any DispatchSourceTimer
    private let beating: Heartbeat

    private init(_ lock: FileLock, timing: LockTiming) throws {
        self.lock = lock
        beating = Heartbeat(descriptor: lock.descriptor)
        guard beating.beat() else {
            throw InputError(file: lock.url.path, cannot: "write the lock file")
        }
        heartbeat = DispatchSource.makeTimerSource(queue: .global(qos: .utility))
        heartbeat.schedule(deadline: .now() + timing.heartbeat, repeating: timing.heartbeat)
        heartbeat.setEventHandler { [beating] in _ = beating.beat() }
        heartbeat.resume()
    }

    deinit {
        heartbeat.cancel()
        beating.stop()
        // While the lock is still held: whoever waits for this file sees that it is gone and opens a new one.
        unlink(lock.url.path)
    }

    /// Takes the lock, or waits for it until `isDone`; nil if that became true.
    ///
    /// - Parameter waiting: called at every look at a lock that is held; may throw to give up.
    static func acquire(
        _ url: URL, timing: LockTiming = LockTiming(), isDone: () throws -> Bool, waiting: (StageOwner?) throws -> Void
    ) throws -> StageLock? {
        var lastText = ""
        var lastChange = timing.now()
        while true {
            if try isDone() { return nil }
            let lock = try FileLock.attempt(url)
            let text = lock?.text ?? (try? String(contentsOf: url, encoding: .utf8)) ?? ""
            if text != lastText {
                lastText = text
                lastChange = timing.now()
            }
            let owner = try? JSONDecoder().decode(StageOwner.self, from: Data(text.utf8))
            if let lock {
                let mayLive = owner.map { $0.host != Machine.hostName } ?? false
                if !mayLive || timing.now() - lastChange >= timing.staleAfter {
                    return try isDone() ? nil : StageLock(lock, timing: timing)
                }
            }
            try waiting(owner)
            Thread.sleep(forTimeInterval: timing.poll)
        }
    }

    /// Writes the owner record into the lock file; the timer's thread and the owner's both come here.
    private final class Heartbeat: @unchecked Sendable {
        private let guarding = NSLock()
        private let descriptor: Int32
        private var owner = StageOwner.current
        private var isStopped = false

        init(descriptor: Int32) { self.descriptor = descriptor }

        func beat() -> Bool {
            guarding.withLock {
                if isStopped { return true }
                owner.beat += 1
                guard let data = try? JSONEncoder().encode(owner) else { return false }
                return data.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) } == data.count
                    && ftruncate(descriptor, off_t(data.count)) == 0
            }
        }

        /// The descriptor is about to be closed, and its number used for something else.
        func stop() { guarding.withLock { isStopped = true } }
    }
}
