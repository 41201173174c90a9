import Accelerators
import Foundation
import Logging
import RunStore
import Settings
import Synchronization

/// What all stages work with: the store, code version and machine, and where progress is reported.
public struct ExperimentContext {
    public let store: Store
    public let code: CodeVersion
    public let machine: Machine
    public let progress: any ProgressReporter
    /// Where models run that have programs.
    public let device: ModelDevice
    /// Diagnostics: what was saved, resumed, repaired. Silent below warnings unless asked for.
    let log = Logger(label: "prologue")
    let datasets = DatasetCache()

    /// What is taken for granted while planning; nil: what is missing is an error.
    var assumptions: Assumptions?

    /// The images that `settings` describe, loaded once.
    func dataset(_ settings: DataSettings) throws -> Dataset {
        if let expected = try assumptions?.dataset(settings) { return expected }
        return try datasets.dataset(settings, kept: store.directory.appendingPathComponent("data"), progress)
    }

    public init(store: Store, code: CodeVersion, machine: Machine, progress: any ProgressReporter, device: ModelDevice = ModelDevice(.cpu))
    {
        self.store = store
        self.code = code
        self.machine = machine
        self.progress = progress
        self.device = device
    }
}

/// Hears how far the work is. The command line draws a bar on a terminal and prints plain lines in a pipe.
public protocol ProgressReporter {
    /// A stage begins or is found done.
    func note(_ line: String)
    /// A step of long work is done.
    func update(_ progress: StageProgress)
    /// The stage that was updated last in this lane has ended.
    func finish(lane: Int)
}

extension ProgressReporter {
    public func finish() { finish(lane: 0) }
}

/// How far one stage is.
public struct StageProgress: Sendable {
    public let stage: String
    public let step, steps: Int
    /// Steps a second, lately; nil before it is known.
    public let rate: Double?
    /// Last losses and the like.
    public let values: [(name: String, value: Double)]
    /// The number of the worker that makes it; 0 for this process itself.
    public let lane: Int

    public init(
        stage: String, step: Int, steps: Int, rate: Double?, values: [(name: String, value: Double)], lane: Int = 0
    ) {
        (self.stage, self.step, self.steps, self.rate) = (stage, step, steps, rate)
        (self.values, self.lane) = (values, lane)
    }

    public var secondsLeft: Double? { rate.map { Double(steps - step) / max($0, 1e-9) } }
}

/// Says nothing.
public struct SilentProgress: ProgressReporter {
    public init() {}
    public func note(_ line: String) {}
    public func update(_ progress: StageProgress) {}
    public func finish(lane: Int) {}
}
