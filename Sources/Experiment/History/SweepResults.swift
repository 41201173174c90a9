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

        func isMeasured(like other: Metric) -> Bool { MeasuringProtocol(`protocol`) == MeasuringProtocol(other.protocol) }
    }

    /// What a finished stage took, and what it measured.
    public struct StageSummary: Sendable {
        public let id: String
        public let summary: JSONValue
        public let wallSeconds: Double
        /// By protocol name.
        public let measurements: [String: Scores]
        /// The whole record; nil where the results were read from the index.
        public let record: StageRecord?

        public init(
            id: String = "", summary: JSONValue, wallSeconds: Double, measurements: [String: Scores] = [:], record: StageRecord? = nil
        ) {
            self.id = id
            self.summary = summary
            self.wallSeconds = wallSeconds
            self.measurements = measurements
            self.record = record
        }

        /// Of its matrix products and convolutions, where the stage noted them.
        public var flops: Double? { summary["flops"]?.doubleValue }

        /// Warnings for readers of its scores.
        public var warnings: [String] { summary["warnings"]?.arrayValue?.compactMap(\.stringValue) ?? [] }
    }

    /// One run of an arm.
    public struct Run: Sendable {
        public let id: String
        public let seed: Int
        /// What is averaged over, with this run's values: runs of two arms that share it are a pair.
        public let replicate: String
        public let state: Status.State?
        /// Its scores by name; of one that was measured under several protocols the first.
        public let metrics: [String: Metric]
        /// The others of such scores.
        private let more: [String: [Metric]]
        /// Its finished stages, by role.
        public let stages: [String: StageSummary]
        public let settings: FlatSettings
        /// Beside settings: `arm` and other named axes, `label`, `sweep`, `cell`.
        public let names: [String: JSONValue]
        public let pictures: [Artifact]

        public init(
            id: String, seed: Int, replicate: String, state: Status.State?, metrics: [String: Metric],
            stages: [String: StageSummary], settings: FlatSettings, names: [String: JSONValue], pictures: [Artifact] = []
        ) {
            self.init(
                id: id, seed: seed, replicate: replicate, state: state, measured: metrics.mapValues { [$0] }, stages: stages,
                settings: settings, names: names, pictures: pictures)
        }

        /// The same with the scores that its stages say.
        public init(
            id: String, seed: Int, replicate: String, state: Status.State?, measured: [String: [Metric]]? = nil,
            stages: [String: StageSummary], settings: FlatSettings, names: [String: JSONValue], pictures: [Artifact] = []
        ) {
            let measured = measured ?? Self.metrics(of: stages)
            self.id = id
            self.seed = seed
            self.replicate = replicate
            self.state = state
            metrics = measured.compactMapValues(\.first)
            more = measured.filter { $0.value.count > 1 }.mapValues { Array($0.dropFirst()) }
            self.stages = stages
            self.settings = settings
            self.names = names
            self.pictures = pictures
        }

        /// A score under each protocol that it was measured under.
        public func all(_ metric: String) -> [Metric] { (metrics[metric].map { [$0] } ?? []) + (more[metric] ?? []) }

        /// The value of a setting, with or without `config.` before it, or of one of its names.
        public func value(of key: String) -> JSONValue? {
            names[key] ?? settings[key.hasPrefix("config.") ? String(key.dropFirst(7)) : key]
        }
    }

    /// All replicates of one arm.
    public struct Arm: Sendable {
        /// What sets it apart from the other arms, in few words.
        public let label: String
        /// What the sweep calls its cells.
        public let cell: String
        public let isBaseline: Bool
        public let runs: [Run]

        public init(label: String, cell: String? = nil, isBaseline: Bool, runs: [Run]) {
            self.label = label
            self.cell = cell ?? label
            self.isBaseline = isBaseline
            self.runs = runs
        }

        /// Values of a metric over the runs that have it, with the replicates they belong to.
        ///
        /// - Parameter wanted: only those measured under this protocol.
        public func values(_ metric: String, under wanted: MeasuringProtocol? = nil) -> [(replicate: String, value: Double)] {
            runs.compactMap { run in
                let own = run.all(metric).first { wanted == nil || MeasuringProtocol($0.protocol) == wanted }
                return own?.value.map { (run.replicate, $0) }
            }
        }
    }

    public let name: String
    public let question: String?
    public let arms: [Arm]
    /// Scores by whose values the runs were chosen, as a query to the history may have it.
    public let chosenBy: [String]
    /// What readers of the scores should know: warnings of stages, what could not be read.
    public let notes: [String]

    public init(name: String, question: String? = nil, arms: [Arm], chosenBy: [String] = [], notes: [String] = []) {
        self.name = name
        self.question = question
        self.arms = arms
        self.chosenBy = chosenBy
        self.notes = notes + Self.warnings(arms)
    }

    /// Warnings of stages, each once, with the arms that they are about where it is not all.
    private static func warnings(_ arms: [Arm]) -> [String] {
        var found: [(text: String, labels: [String])] = []
        for arm in arms {
            for text in arm.runs.flatMap({ $0.stages.sorted { $0.key < $1.key }.flatMap(\.value.warnings) }).uniqued() {
                if let place = found.firstIndex(where: { $0.text == text }) {
                    found[place].labels.append(arm.label)
                } else {
                    found.append((text, [arm.label]))
                }
            }
        }
        return found.map { text, labels in labels.count == arms.count ? text : "\(labels.joined(separator: ", ")): \(text)" }
    }

    /// Names of all metrics of any run, sorted.
    public var metricNames: [String] {
        Set(arms.flatMap { $0.runs.flatMap { $0.metrics.keys } }).sorted()
    }

    /// The same, taken apart.
    public var scores: [MetricName] { metricNames.map(MetricName.init) }

    /// The full name of a metric given in full or without its feature space: `gfid.nocfg` for
    /// `gfid@fashion-cnn.nocfg`, if that is the only one.
    public func metricName(_ given: String) throws -> String { try MetricName.find(given, among: scores).text }
}
