import Files
import Foundation

/// How many processes work on stages side by side, and with how many threads each.
///
/// Results of training agree between thread counts to rounding only. So the choice follows from the arguments and the
/// number of cores alone, never from load or from what is left to do, and each stage records its threads.
public struct Workforce: Sendable, Equatable {
    public let workers: Int
    public let threads: Int

    /// More threads than these speed up one stage little: its matrices are small.
    static let threadsUnlessAsked = 4

    /// What was not asked for follows from the cores: threads, up to 4 a worker; then as many workers as there are cores
    /// for. With one of the two given, the other shares out the cores.
    public init(workers: Int? = nil, threads: Int? = nil, cores: Int) {
        let ownThreads = threads ?? workers.map { max(1, cores / $0) } ?? max(1, min(Self.threadsUnlessAsked, cores))
        self.threads = ownThreads
        self.workers = workers ?? max(1, cores / ownThreads)
    }

    /// For this machine. `PROLOGUE_THREADS` counts as asked for, where `threads` is not given.
    public init(workers: Int?, threads: Int?) {
        let wanted = ProcessInfo.processInfo.environment["PROLOGUE_THREADS"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        self.init(workers: workers, threads: threads ?? wanted, cores: ProcessInfo.processInfo.activeProcessorCount)
    }
}
