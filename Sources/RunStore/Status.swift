import Foundation

/// Where a run or a stage stands, as its `status.json` says.
public struct Status: Codable, Equatable, Sendable {
    public enum State: String, Codable, CaseIterable, Sendable {
        case planned, running, interrupted, done, failed
    }

    public var state: State
    /// The step reached, and how many there are to be.
    public var step: Int
    public var steps: Int?
    /// Steps a second, lately.
    public var rate: Double?
    /// The last losses and the like, by name.
    public var values: [String: Double]
    /// What people are told: the current phase, the error.
    public var message: String
    /// Seconds of work spent so far, in this process and those before it.
    public var wallSeconds: Double
    public var updated: Date
    /// Of a run: who sees to it, while it is running.
    public var owner: StageOwner?
    /// Of a run: stages that cannot be made, with the failed stage that each would need; by role.
    public var skipped: [String: String]?

    public init(
        _ state: State, step: Int = 0, of steps: Int? = nil, rate: Double? = nil, values: [String: Double] = [:],
        message: String = "", wallSeconds: Double = 0, updated: Date = Date(), owner: StageOwner? = nil,
        skipped: [String: String] = [:]
    ) {
        self.state = state
        self.step = step
        self.steps = steps
        self.rate = rate
        // JSON has no infinities: a diverged loss is left out here, the metrics file has it.
        self.values = values.filter { $0.value.isFinite }
        self.message = message
        self.wallSeconds = wallSeconds
        self.updated = updated
        self.owner = owner
        self.skipped = skipped.isEmpty ? nil : skipped
    }

    enum CodingKeys: String, CodingKey {
        case state, step, steps, rate, values, message, updated, owner, skipped
        case wallSeconds = "wall_seconds"
    }
}
