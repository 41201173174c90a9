import CKernels
import Foundation
import Synchronization

/// Where the time of training or sampling goes, op by op. One profile at a time, of the thread that asks for it: ops that other
/// threads run by themselves, as samplers in bfloat16 do, count as a whole for the next op of this one. With one thread of
/// the engine everything is seen.
///
/// Time is taken between the ends of ops, so what happens between two ops counts for the later one. Bytes are those of the
/// operands, each read or written once: inputs and output of an op, and for its gradient as much again.
public final class Profile {
    public struct Entry: Sendable {
        public let op: String
        public let isBackward: Bool
        public var calls = 0
        public var seconds = 0.0
        /// Of matrix products, 2 for a multiplication and its addition.
        public var operations = 0
        public var bytes = 0
    }

    private struct Key: Hashable {
        let op: String
        let isBackward: Bool
    }

    private var entries: [Key: Entry] = [:]
    private var last = ContinuousClock.now
    private let thread = pthread_self()

    /// What ops report to.
    nonisolated(unsafe) private(set) static var current: Profile?
    private static let isActive = Atomic<Bool>(false)
    private static let operations = Atomic<Int>(0)

    private init() {}

    /// What `body` spends where, most time first.
    public static func of(_ body: () -> Void) -> [Entry] {
        require(current == nil, "a profile is being taken already")
        let profile = Profile()
        operations.store(0, ordering: .relaxed)
        current = profile
        isActive.store(true, ordering: .relaxed)
        body()
        profile.mark("rest", isBackward: false, bytes: 0)
        isActive.store(false, ordering: .relaxed)
        current = nil
        return profile.entries.values.sorted { ($0.seconds, $0.op) > ($1.seconds, $1.op) }
    }

    /// A matrix product is being done, on any thread.
    static func count(_ m: Int, _ n: Int, _ k: Int) {
        guard isActive.load(ordering: .relaxed) else { return }
        operations.wrappingAdd(2 * m * n * k, ordering: .relaxed)
    }

    /// What was done since the last mark was `op`.
    package func mark(_ op: String, isBackward: Bool, bytes: Int) {
        guard pthread_equal(thread, pthread_self()) != 0 else { return }
        let now = ContinuousClock.now
        let key = Key(op: String(op.prefix { $0 != "(" }), isBackward: isBackward)
        var entry = entries[key] ?? Entry(op: key.op, isBackward: isBackward)
        entry.calls += 1
        entry.seconds += (now - last) / .seconds(1)
        entry.operations += Self.operations.exchange(0, ordering: .relaxed)
        entry.bytes += bytes
        entries[key] = entry
        last = ContinuousClock.now
    }

    /// Marks work outside the ops, such as an optimiser's.
    public static func mark(_ name: String, bytes: @autoclosure () -> Int) {
        current?.mark(name, isBackward: false, bytes: bytes())
    }
}

/// What the machine could do.
public enum MachineCeiling {
    /// FLOP/s of matrix products whose operands stay in the first cache, on all threads; of bfloat16 or of float32 numbers.
    public static func measured(bfloat16: Bool) -> Double {
        let repetitions = 400
        var best = 0.0
        // Long enough that what another process still does at its beginning is over before its end.
        let end = ContinuousClock.now + .milliseconds(500)
        while ContinuousClock.now < end {
            let start = ContinuousClock.now
            let operations = product(bfloat16: bfloat16, repetitions: repetitions)
            best = max(best, Double(Parallel.threads * operations) / ((ContinuousClock.now - start) / .seconds(1)))
        }
        return best
    }

    /// Products of one size on every thread; returns the operations of one thread.
    private static func product(bfloat16: Bool, repetitions: Int) -> Int {
        let (m, n, k) = bfloat16 ? (48, 64, 256) : (192, 192, 192)
        if !bfloat16 {
            Parallel.chunks(Parallel.threads) { _ in
                let (a, b, c) = (Storage(count: m * k), Storage(count: k * n), Storage(count: m * n))
                a.pointer.update(repeating: 0.5, count: m * k)
                b.pointer.update(repeating: 0.5, count: k * n)
                for _ in 0..<repetitions {
                    MatrixProduct.serial(c.pointer, a.pointer, b.pointer, m: m, n: n, k: k, lda: k, ldb: n, ldc: n)
                }
            }
        } else {
            let weight = PackedWeights(transposing: WeightRows(Tensor(repeating: 0.5, shape: [n, k])))
            let rows = BFloat16Matrix(rounding: Tensor(repeating: 0.5, shape: [m, k]))
            Parallel.chunks(Parallel.threads) { _ in
                let c = Storage(count: m * n)
                for _ in 0..<repetitions { weight.multiply(rows.pointer, stride: k, rows: m, into: c.pointer) }
            }
        }
        return 2 * m * n * k * repetitions
    }
}
