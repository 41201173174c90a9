import Files
import Foundation
import RunStore
import Sweep

/// What the runs of a sweep measured, read from the store's files.
public struct SweepResults: Sendable {
    /// One measured number of one run.
    public struct Metric: Sendable, Equatable {
        /// Nil: measured and failed.
        public let value: Double?
        /// What must be equal for two values to stand in one column.
        public let `protocol`: JSONValue
        public let stage: String
    }

    /// One run of an arm.
    public struct Run: Sendable {
        public let id: String
        public let seed: Int
        public let state: Status.State?
        public let metrics: [String: Metric]
        /// Summaries of its finished stages, by role.
        public let stages: [String: StageRecord]
        public let pictures: [Artifact]
    }

    /// All seeds of one arm.
    public struct Arm: Sendable {
        public let label: String
        public let isBaseline: Bool
        public let runs: [Run]

        /// Values of a metric over the runs that have it, with the seeds they belong to.
        public func values(_ metric: String) -> [(seed: Int, value: Double)] {
            runs.compactMap { run in run.metrics[metric]?.value.map { (run.seed, $0) } }
        }
    }

    public let name: String
    public let question: String?
    public let arms: [Arm]

    public init(_ sweep: SweepFile, _ context: ExperimentContext) throws {
        name = sweep.name
        question = sweep.question
        let runner = SweepRunner(sweep, context)
        var labels: [String] = []
        var grouped: [String: [(cell: Cell, run: Run)]] = [:]
        for cell in sweep.cells {
            let plan = try RunPlan(cell.settings, context)
            let id = runner.record(of: cell, plan).id
            if grouped[cell.label] == nil { labels.append(cell.label) }
            grouped[cell.label, default: []].append((cell, try Self.run(plan, id, cell.seed, context.store)))
        }
        arms = labels.map { label in
            let members = grouped[label] ?? []
            return Arm(
                label: label, isBaseline: members.contains { sweep.compare.isBaseline($0.cell) },
                runs: members.map(\.run))
        }
    }

    private static func run(_ plan: RunPlan, _ id: String, _ seed: Int, _ store: Store) throws -> Run {
        var metrics: [String: Metric] = [:]
        var records: [String: StageRecord] = [:]
        for stage in plan.stages {
            let handle = store.stage(stage.identity)
            guard let record = handle.record else { continue }
            records[stage.role] = record
            for measured in try handle.measurements().values {
                for (name, value) in measured.values {
                    metrics[name] = Metric(value: value, protocol: measured.protocol, stage: stage.id)
                }
            }
        }
        return Run(
            id: id, seed: seed, state: (try? store.status(ofRun: id))?.state, metrics: metrics,
            stages: records, pictures: plan.pictures(in: store))
    }

    /// Names of all metrics of any run, sorted.
    public var metricNames: [String] {
        Set(arms.flatMap { $0.runs.flatMap { $0.metrics.keys } }).sorted()
    }

    /// The full name of a metric given in full or without its feature space: `gfid.nocfg` for
    /// `gfid@fashion-cnn.nocfg`, if that is the only one.
    public func metricName(_ given: String) throws -> String {
        let names = metricNames
        if names.contains(given) { return given }
        let matches = names.filter { Self.withoutSpace($0) == given }
        if matches.count == 1 { return matches[0] }
        let choices = matches.isEmpty ? names : matches
        let hint = nearest(to: given, among: names.map(Self.withoutSpace) + names).map { "; did you mean '\($0)'?" } ?? ""
        throw InputError(
            matches.isEmpty
                ? "no run has a metric '\(given)'\(hint) Metrics: \(choices.joined(separator: ", "))"
                : "'\(given)' may be any of \(choices.joined(separator: ", "))")
    }

    /// `gfid@space.name` → `gfid.name`.
    static func withoutSpace(_ name: String) -> String {
        guard let at = name.firstIndex(of: "@") else { return name }
        let rest = name[at...]
        return String(name[..<at]) + (rest.firstIndex(of: ".").map { String(rest[$0...]) } ?? "")
    }
}
