import Foundation

/// Makes the items of the next steps on a thread of its own while the current one is used.
///
/// An item depends on its step alone, and items are handed out by step, so timing decides nothing but how long is waited. At
/// most `ahead` finished items wait at a time. With `ahead` 0 items are made by the caller.
public final class Prefetcher<Item: Sendable>: Sendable {
    private let shared: Shared
    private let ahead: Int

    /// - Parameter make: called for one step at a time, always in order from the first step that is asked for.
    public init(ahead: Int, end: Int, _ make: @escaping @Sendable (_ step: Int) throws -> Item) {
        precondition(ahead >= 0, "\(ahead) items ahead")
        self.ahead = ahead
        shared = Shared(ahead: ahead, end: end, make)
    }

    deinit { shared.stop() }

    /// The item of `step`. Steps are asked for in order; any other step starts over from there.
    /// - Throws: what making it threw.
    public func item(_ step: Int) throws -> Item { try ahead == 0 ? shared.make(step) : shared.take(step) }

    /// What caller and thread share, guarded by its condition.
    private final class Shared: @unchecked Sendable {
        let make: @Sendable (Int) throws -> Item
        private let ahead, end: Int
        private let condition = NSCondition()
        private var ready: [Int: Result<Item, any Error>] = [:]
        /// The step to be asked for next; nil before the first.
        private var wanted: Int?
        /// Raised whenever the thread of before is to stop.
        private var generation = 0

        init(ahead: Int, end: Int, _ make: @escaping @Sendable (Int) throws -> Item) {
            (self.ahead, self.end, self.make) = (ahead, end, make)
        }

        func take(_ step: Int) throws -> Item {
            precondition(step < end, "step \(step) of \(end)")
            condition.lock()
            defer { condition.unlock() }
            if wanted != step { start(at: step) }
            while ready[step] == nil { condition.wait() }
            let item = ready.removeValue(forKey: step)
            condition.broadcast()
            // After a failure the thread has ended: the next call starts over.
            wanted = nil
            let made = try item?.get()
            guard let made else { preconditionFailure("step \(step) was ready and is gone") }
            wanted = step + 1
            return made
        }

        func stop() {
            condition.lock()
            generation += 1
            ready = [:]
            condition.broadcast()
            condition.unlock()
        }

        private func start(at step: Int) {
            generation += 1
            ready = [:]
            wanted = step
            condition.broadcast()
            let own = generation
            let thread = Thread { [self] in produce(from: step, own) }
            thread.stackSize = 8 << 20
            thread.start()
        }

        private func produce(from first: Int, _ own: Int) {
            for step in first..<end {
                condition.lock()
                while generation == own, ready.count >= ahead { condition.wait() }
                let goesOn = generation == own
                condition.unlock()
                guard goesOn else { return }
                let item = Result { try make(step) }
                condition.lock()
                if generation == own { ready[step] = item }
                condition.broadcast()
                condition.unlock()
                // What could not be made ends the training; nothing after it is wanted.
                if case .failure = item { return }
            }
        }
    }
}
