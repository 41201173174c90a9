import Foundation

/// How long claims wait, in seconds.
public struct LockTiming: Sendable {
    /// Between two signs of life of an owner.
    public var heartbeat: Double
    /// Without a sign of life before an owner counts as dead.
    public var staleAfter: Double
    /// Between two looks of a process that waits.
    public var poll: Double
    /// Seconds on a clock that only goes forward, and stands still while the machine sleeps.
    package var now: @Sendable () -> Double = { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

    /// Ten seconds between signs of life, which tests shorten with `PROLOGUE_HEARTBEAT`; an owner is dead after six of them.
    public init(heartbeat: Double? = nil, staleAfter: Double? = nil, poll: Double = 0.25) {
        self.heartbeat =
            heartbeat ?? getenv("PROLOGUE_HEARTBEAT").flatMap { Double(String(cString: $0)) }.flatMap { $0 > 0 ? $0 : nil } ?? 10
        self.staleAfter = staleAfter ?? 6 * self.heartbeat
        self.poll = poll
    }
}
