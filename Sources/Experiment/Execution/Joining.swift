import Foundation

/// How a process takes part in a sweep that others work on too, and that nobody coordinates.
public struct Joining: Sendable {
    /// Stages that have failed since then are not tried again.
    public let failuresSince: Date
    /// Seconds in which nothing could be begun, after which the process leaves what is left to those at work, where they are enough.
    public let idleLimit: Double

    public init(failuresSince: Date, idleLimit: Double) { (self.failuresSince, self.idleLimit) = (failuresSince, idleLimit) }
}
