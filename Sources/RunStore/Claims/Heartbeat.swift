import Files
import Foundation

/// An owner's record in the file of its claim, in which a number counts up while the owner lives.
final class Heartbeat: @unchecked Sendable {
    private let guarding = NSLock()
    private let place: URL
    private var descriptor: Int32
    private let isShared: Bool
    private var owner: StageOwner
    private var timer: (any DispatchSourceTimer)?
    private var isStopped = false

    /// Each record has as many bytes, so that one over the other is never a mixture of two.
    private static let length = 512

    /// Writes the first record into a new file.
    ///
    /// - Parameter place: the name that the file is going to have.
    init(_ owner: StageOwner, creating record: URL, at place: URL, isShared: Bool) throws {
        (self.owner, self.place, self.isShared) = (owner, place, isShared)
        descriptor = open(record.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw InputError(file: place.path, cannot: "open the lock file") }
        // Earlier versions look at nothing else on this host; where there are no locks they have none either.
        flock(descriptor, LOCK_EX | LOCK_NB)
        guard write() else {
            throw InputError(file: place.path, cannot: "write the lock file")
        }
    }

    func start(every seconds: Double) {
        let timer = DispatchSource.makeTimerSource(queue: .global(qos: .utility))
        timer.schedule(deadline: .now() + seconds, repeating: seconds)
        timer.setEventHandler { [weak self] in self?.beat() }
        self.timer = timer
        timer.resume()
    }

    /// Whether the claim's file says that it is ours.
    var isOurs: Bool {
        guard let data = try? Data(contentsOf: place) else { return false }
        return (try? JSONDecoder().decode(StageOwner.self, from: data))?.token == owner.token
    }

    /// A process that was paused may find another's record in its file: one of an earlier version writes into it.
    private func beat() {
        guarding.withLock {
            if isStopped || !isOurs { return }
            owner.beat += 1
            _ = write()
        }
    }

    private func write() -> Bool {
        guard var data = try? JSONEncoder().encode(owner) else { return false }
        data += Data(repeating: UInt8(ascii: " "), count: max(0, Self.length - data.count))
        guard data.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == data.count else { return false }
        // Other hosts see what has left this one.
        return !isShared || fsync(descriptor) == 0
    }

    func stop() {
        timer?.cancel()
        guarding.withLock { isStopped = true }
    }

    /// Lets go of the file, after `stop`.
    func close() {
        if descriptor >= 0 { Foundation.close(descriptor) }
        descriptor = -1
    }

    deinit { close() }
}
