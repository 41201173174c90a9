import Foundation

/// Threads that make answers: few, so that a training beside them keeps its processors, and with less right to run.
final class WorkQueue: Sendable {
    private let queue: OperationQueue

    init(width: Int = 2) {
        queue = OperationQueue()
        queue.maxConcurrentOperationCount = width
        queue.qualityOfService = .utility
    }

    func submit(_ work: @escaping @Sendable () -> Void) { queue.addOperation(work) }
}
