import Evaluation
import Experiment
import Foundation
import Metrics
import RunStore

/// Numbers of each token position of an arm's runs, as the information stages stored them.
struct TokenArrays {
    struct Run {
        let seed: Int
        let prologueTokens: Int
        /// By dataset, one number per token.
        let values: [String: [Double]]
    }

    enum Segment { case prologue, visual }

    let runs: [Run]

    /// What tokens may tell of, with the name of its entropy among the scores.
    private let variables: [(name: String, entropy: [Double])]

    /// Stages that are missing or damaged are left out.
    init(_ arm: SweepResults.Arm, _ store: Store) {
        runs = arm.runs.compactMap { run in
            guard let id = run.stages["information"]?.record?.id,
                let file = try? HDF5File(reading: store.stage(id: id).verified("information.h5")),
                case .int(let prologueTokens)? = try? file.attribute("prologue_tokens"),
                let names = try? file.datasets()
            else { return nil }
            let arrays = names.compactMap { name in (try? file.read(name, as: Double.self)).map { (name, $0.values) } }
            var values = Dictionary(arrays, uniquingKeysWith: { $1 })
            // H(token | those before it), from entropies of prefixes.
            if let prefixes = values["prefix_entropy"] {
                values["conditional"] = zip(prefixes, [0] + prefixes).map { $0 - $1 }
            }
            return Run(seed: run.seed, prologueTokens: prologueTokens, values: values)
        }
        let named =
            [("class", Measure.classEntropy.name())]
            + (runs.first?.values.keys ?? [:].keys).filter {
                $0.hasSuffix("_information") && $0 != "class_information"
            }.sorted().map { name in
                let factor = String(name.dropLast("_information".count))
                return (factor, Measure.factorEntropy.name([.factor: factor]))
            }
        variables = named.map { ($0.0, arm.values($0.1).map(\.value)) }
    }

    /// Values of each prologue token over runs.
    func prologue(_ name: String) -> [[Double]] {
        let count = runs.map(\.prologueTokens).min() ?? 0
        return (0..<count).map { token in
            runs.compactMap { run in run.values[name].flatMap { $0.indices.contains(token) ? $0[token] : nil } }
        }
    }

    /// Token by what it tells of: the share of the variable's entropy.
    ///
    /// - Parameter seed: only of this run; nil: means over all.
    func map(_ label: String, _ segment: Segment, seed: Int? = nil) -> HeatMap? {
        let runs = runs.filter { seed == nil || $0.seed == seed }
        let prologue = runs.map(\.prologueTokens).min() ?? 0
        let width = runs.compactMap { $0.values["class_information"]?.count }.min() ?? 0
        let tokens = segment == .prologue ? 0..<prologue : prologue..<width
        let shown = variables.filter { !$0.entropy.isEmpty && $0.entropy[0] > 0 }
        guard !tokens.isEmpty, !shown.isEmpty, runs.allSatisfy({ $0.prologueTokens == prologue }) else { return nil }
        let cells = shown.map { variable in
            tokens.map { token -> HeatMap.Cell in
                let shares = runs.compactMap { $0.values["\(variable.name)_information"]?[token] }
                    .map { max(0, $0) / variable.entropy[0] }
                var cell = HeatMap.Cell(shares)
                if segment == .visual { cell.text = "" }
                return cell
            }
        }
        return HeatMap(
            title: "\(label): what each \(segment == .prologue ? "prologue" : "visual") token tells",
            xLabel: segment == .prologue ? "prologue token" : "visual token, from the top left", yLabel: "what is told of",
            rowLabels: shown.map { $0.name.replacing("_", with: " ") },
            columnLabels: tokens.map { "\($0 - tokens.lowerBound)" }, cells: cells, legend: "share of entropy")
    }
}
