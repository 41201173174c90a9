import Evaluation
import Experiment
import Files
import Metrics
import Settings
import Sweep

/// What a sweep varies, in several directions at once, and how much of a score each of them explains.
public struct SweepAxes {
    public struct Axis {
        public let key: String
        /// What it is called beside others.
        public let name: String
        /// Those that there are, numbers by size.
        public let levels: [JSONValue]
        /// The number of each arm's level.
        public let places: [Int]
    }

    public let axes: [Axis]
    private let results: SweepResults

    /// Beside axes, what every run has.
    private static let others: Set<String> = ["label", "cell", "sweep", "seed", "run"]

    /// The axes that the file names, and every setting that differs between arms and follows from no other axis.
    public init(_ results: SweepResults) {
        self.results = results
        let runs = results.arms.compactMap(\.runs.first)
        let named = Set(runs.flatMap(\.names.keys)).subtracting(Self.others)
        let settings = FlatSettings.differing(runs.map(\.settings)).filter { $0 != "seed" && !$0.hasPrefix("seeds.") }
        let keys = named.sorted() + settings.filter { !named.contains($0) }
        var found: [Axis] = []
        for (key, places, levels) in keys.map({ key in Self.levels(of: key, runs) }).filter({ $0.2.count > 1 }) {
            // A setting that goes with another, such as those of one arm, is no axis of its own; nor is one it goes with.
            if found.contains(where: { Self.follows(places, from: $0.places) }) { continue }
            found.removeAll { !named.contains($0.key) && Self.follows($0.places, from: places) }
            found.append(Axis(key: key, name: Schema.shortName(of: key), levels: levels, places: places))
        }
        axes = found
    }

    private static func levels(of key: String, _ runs: [SweepResults.Run]) -> (String, [Int], [JSONValue]) {
        let values = runs.map { $0.value(of: key) ?? .null }
        let levels = values.uniqued().sorted { a, b in
            if let a = a.doubleValue, let b = b.doubleValue { return a < b }
            return a.canonical < b.canonical
        }
        return (key, values.map { levels.firstIndex(of: $0) ?? 0 }, levels)
    }

    /// Whether the one level says the other.
    private static func follows(_ places: [Int], from others: [Int]) -> Bool {
        var told: [Int: Int] = [:]
        return zip(others, places).allSatisfy { other, place in
            defer { told[other] = place }
            return told[other].map { $0 == place } ?? true
        }
    }

    private static func text(_ level: JSONValue) -> String { level == .null ? "–" : level.stringValue ?? level.canonical }

    /// A line an arm, at the mean over its seeds; nil where there are no two axes, or nothing was measured.
    public func plot(_ metric: String) -> ParallelPlot? {
        guard axes.count > 1 else { return nil }
        let lines = results.arms.enumerated().compactMap { number, arm -> ParallelPlot.Line? in
            let values = arm.values(metric).map(\.value)
            guard !values.isEmpty else { return nil }
            return ParallelPlot.Line(
                name: arm.label, places: axes.map { $0.places[number] }, score: values.reduce(0, +) / Double(values.count))
        }
        guard !lines.isEmpty else { return nil }
        let name = MetricName(metric)
        return ParallelPlot(
            title: "\(name.title) over \(axes.count) settings",
            axes: axes.map { ParallelPlot.Axis(name: $0.name, levels: $0.levels.map(Self.text)) }, scoreName: name.title, lines: lines,
            better: name.measure.better)
    }

    /// Observations of a score with the levels that they have.
    public struct Observations: Hashable, Sendable {
        public let values: [Double]
        public let names: [String]
        /// By axis.
        public let levels: [[String]]

        /// Main effects of the axes, and of the seed where there are several.
        public var effects: MainEffects? {
            MainEffects(values, by: zip(names, levels).map { MainEffects.Factor(name: $0, levels: $1) })
        }
    }

    /// Of each arm and seed a value. One that several arms share, because they share the stage that measured it, counts once.
    public func observations(_ metric: String) -> Observations {
        var values: [Double] = []
        var levels = [[String]](repeating: [], count: axes.count + 1)
        var counted: Set<String> = []
        for (number, arm) in results.arms.enumerated() {
            for run in arm.runs {
                guard let measured = run.metrics[metric], let value = measured.value, value.isFinite,
                    counted.insert(measured.stage).inserted
                else { continue }
                values.append(value)
                for (axis, place) in axes.enumerated() { levels[axis].append(Self.text(place.levels[place.places[number]])) }
                levels[axes.count].append(run.replicate)
            }
        }
        let hasSeeds = Set(levels[axes.count]).count > 1
        return Observations(
            values: values, names: axes.map(\.name) + (hasSeeds ? ["seed"] : []), levels: hasSeeds ? levels : Array(levels.dropLast()))
    }

    /// The factors by how much they explain.
    public static func table(_ effects: MainEffects) -> Table {
        var table = Table(columns: [
            .text("setting"), .number("share of variance", unit: "%", decimals: 1), .number("p", decimals: 3),
            .number("degrees of freedom", decimals: 0),
        ])
        for effect in effects.effects.sorted(by: { $0.share > $1.share }) {
            table.add([.text(effect.name), .number(100 * effect.share), .number(effect.pValue), .number(effect.degreesOfFreedom)])
        }
        table.add([.text("rest"), .number(100 * effects.rest), .missing, .number(effects.restDegreesOfFreedom)])
        return table
    }
}
