import Files
import Foundation
import Metrics
import RunStore
import Sweep

/// What runs measured, by arm: all that share every setting but those that are averaged over, seeds as a rule.
public struct SweepResults: Sendable {
    /// One measured number of one run.
    public struct Metric: Sendable, Equatable {
        /// Nil: measured and failed.
        public let value: Double?
        /// What must be equal for two values to stand in one column.
        public let `protocol`: JSONValue
        public let stage: String

        public init(value: Double?, protocol: JSONValue, stage: String) {
            self.value = value
            self.protocol = `protocol`
            self.stage = stage
        }
    }

    /// What a finished stage took.
    public struct StageSummary: Sendable {
        public let summary: JSONValue
        public let wallSeconds: Double
        /// Of its matrix products and convolutions, as far as they follow from its settings; nil where the results were read
        /// from the index.
        public let flops: Double?
        /// The whole record; nil where the results were read from the index.
        public let record: StageRecord?

        public init(summary: JSONValue, wallSeconds: Double, flops: Double? = nil, record: StageRecord? = nil) {
            self.summary = summary
            self.wallSeconds = wallSeconds
            self.flops = flops
            self.record = record
        }
    }

    /// One run of an arm.
    public struct Run: Sendable {
        public let id: String
        public let seed: Int
        /// What is averaged over, with this run's values: runs of two arms that share it are a pair.
        public let replicate: String
        public let state: Status.State?
        public let metrics: [String: Metric]
        /// Its finished stages, by role.
        public let stages: [String: StageSummary]
        public let settings: FlatSettings
        /// Beside settings: `arm` and other named axes, `label`, `sweep`, `cell`.
        public let names: [String: JSONValue]
        public let pictures: [Artifact]
        /// Roles of stages that are there as an older version of the program wrote them, and not as this one does.
        public let outdated: [String]

        public init(
            id: String, seed: Int, replicate: String, state: Status.State?, metrics: [String: Metric],
            stages: [String: StageSummary], settings: FlatSettings, names: [String: JSONValue], pictures: [Artifact] = [],
            outdated: [String] = []
        ) {
            self.id = id
            self.seed = seed
            self.replicate = replicate
            self.state = state
            self.metrics = metrics
            self.stages = stages
            self.settings = settings
            self.names = names
            self.pictures = pictures
            self.outdated = outdated
        }

        /// The value of a setting, with or without `config.` before it, or of one of its names.
        public func value(of key: String) -> JSONValue? {
            names[key] ?? settings[key.hasPrefix("config.") ? String(key.dropFirst(7)) : key]
        }
    }

    /// All replicates of one arm.
    public struct Arm: Sendable {
        public let label: String
        public let isBaseline: Bool
        public let runs: [Run]

        public init(label: String, isBaseline: Bool, runs: [Run]) {
            self.label = label
            self.isBaseline = isBaseline
            self.runs = runs
        }

        /// Values of a metric over the runs that have it, with the replicates they belong to.
        public func values(_ metric: String) -> [(replicate: String, value: Double)] {
            runs.compactMap { run in run.metrics[metric]?.value.map { (run.replicate, $0) } }
        }
    }

    public let name: String
    public let question: String?
    public let arms: [Arm]
    /// Scores by whose values the runs were chosen, as a query to the history may have it.
    public let chosenBy: [String]

    public init(name: String, question: String? = nil, arms: [Arm], chosenBy: [String] = []) {
        self.name = name
        self.question = question
        self.arms = arms
        self.chosenBy = chosenBy
    }

    /// The cells of a sweep file, from the store's files.
    ///
    /// - Parameter over: what is averaged over; empty: what the sweep says.
    public init(_ sweep: SweepFile, _ context: ExperimentContext, over: [String] = []) throws {
        let over = over.isEmpty ? sweep.compare.over : over
        let runner = SweepRunner(sweep, context)
        var labels: [String] = []
        var grouped: [String: [(cell: Cell, run: Run)]] = [:]
        for cell in sweep.cells {
            let plan = try RunPlan(cell.settings, context)
            let kept = cell.choices.filter { !over.contains($0.axis) }
            let label = kept.count == cell.choices.count ? cell.label : kept.map(\.label).joined(separator: ",")
            if grouped[label] == nil { labels.append(label) }
            let run = try Self.run(cell, plan, context.store.runID(of: cell, in: sweep.name), sweep, over, context.store)
            grouped[label, default: []].append((cell, run))
        }
        let arms = labels.map { label in
            let members = grouped[label] ?? []
            return Arm(
                label: label.isEmpty ? sweep.name : label,
                isBaseline: members.contains { sweep.compare.isBaseline($0.cell) }, runs: members.map(\.run))
        }
        self.init(name: sweep.name, question: sweep.question, arms: arms)
    }

    private static func run(
        _ cell: Cell, _ plan: RunPlan, _ id: String, _ sweep: SweepFile, _ over: [String], _ store: Store
    ) throws -> Run {
        var metrics: [String: Metric] = [:]
        var summaries: [String: StageSummary] = [:]
        var outdated: [String] = []
        let earlier = try store.recordedRun(id)
        for stage in plan.stages {
            let handle = store.stage(stage.identity)
            guard let record = try handle.record else {
                let old = try earlier?.stages[stage.role].flatMap { try store.stage(id: $0).record }
                if let old, old.identity.formatVersion < stage.identity.formatVersion { outdated.append(stage.role) }
                continue
            }
            summaries[stage.role] = StageSummary(
                summary: record.summary, wallSeconds: record.wallSeconds, flops: stage.cost?.flops, record: record)
            for measured in try handle.measurements().values {
                for (name, value) in measured.values {
                    metrics[name] = Metric(value: value, protocol: measured.protocol, stage: stage.id)
                }
            }
        }
        let settings = FlatSettings(cell.resolved)
        var names = Dictionary(cell.choices.map { ($0.axis, $0.value) }, uniquingKeysWith: { first, _ in first })
        names["label"] = .string(cell.label)
        names["cell"] = .string(cell.label)
        names["sweep"] = .string(sweep.name)
        return Run(
            id: id, seed: cell.seed, replicate: settings.split(over: over).replicate,
            state: try store.recordedRun(id) == nil ? nil : store.status(ofRun: id).state, metrics: metrics, stages: summaries, settings: settings,
            names: names, pictures: try plan.pictures(in: store), outdated: outdated)
    }

    /// Names of all metrics of any run, sorted.
    public var metricNames: [String] {
        Set(arms.flatMap { $0.runs.flatMap { $0.metrics.keys } }).sorted()
    }

    /// Why scores are missing that were there before; nil where none are for that reason.
    public var outdatedNote: String? {
        let runs = arms.flatMap(\.runs).filter { !$0.outdated.isEmpty }
        guard !runs.isEmpty else { return nil }
        let roles = Set(runs.flatMap(\.outdated)).sorted().joined(separator: ", ")
        return "\(runs.count) \(runs.count == 1 ? "run has" : "runs have") scores of an older format (\(roles)), which are not shown: "
            + "run `prologue sweep run` again"
    }

    /// The same, taken apart.
    public var scores: [MetricName] { metricNames.map(MetricName.init) }

    /// The full name of a metric given in full or without its feature space: `gfid.nocfg` for
    /// `gfid@fashion-cnn.nocfg`, if that is the only one.
    public func metricName(_ given: String) throws -> String {
        do { return try MetricName.find(given, among: scores).text } catch let error as InputError {
            throw InputError(error.message + (outdatedNote.map { "; \($0)" } ?? ""))
        }
    }
}
