import Experiment
import Files
import Foundation
import Metrics

/// Under what protocols the scores of arms were measured.
struct ComparisonProtocols {
    private let arms: [SweepResults.Arm]

    init(_ arms: [SweepResults.Arm]) { self.arms = arms }

    /// The protocols of a score's values.
    func all(_ name: String, _ arms: [SweepResults.Arm]) -> Set<MeasuringProtocol> {
        Set(arms.flatMap { arm in arm.runs.compactMap { $0.metrics[name].map { MeasuringProtocol($0.protocol) } } })
    }

    func requireOne(_ name: String, _ arms: [SweepResults.Arm]) throws {
        let all = all(name, arms)
        guard all.count > 1 else { return }
        throw InputError(
            "'\(name)' was measured under different protocols (\(MeasuringProtocol.difference(all))), which do not compare; choose cells with "
                + "--only or --where, or scores with --metric, or put what differs in columns of its own with --columns; "
                + "--mix-protocols puts the values in one column all the same")
    }

    /// What is mixed in a column, where anything is.
    func mixture(_ name: String, _ arms: [SweepResults.Arm]) -> String? {
        let all = all(name, arms)
        guard all.count > 1 else { return nil }
        var spelt: [String] = []
        let keys = MeasuringProtocol.differing(all)
        for one in all.sorted(by: { $0.described(by: keys) < $1.described(by: keys) }) {
            let labels = arms.filter { self.all(name, [$0]).contains(one) }.map(\.label)
            spelt.append("\(labels.joined(separator: ", ")) with \(one.described(by: keys))")
        }
        return "PROTOCOLS ARE MIXED in \(name), whose values do not compare: \(spelt.joined(separator: "; "))"
    }

    /// What the scores are, for those who see only the table.
    func explanations(_ names: [String]) -> [String] {
        var notes: [String] = []
        let scores = names.map(MetricName.init)
        if let name = scores.first(where: { $0[.features] ?? "pixels" != "pixels" }), let space = name[.features],
            let measured = all(name.text, arms).first
        {
            let runs = arms.lazy.flatMap(\.runs)
            let accuracy = runs.compactMap { $0.metrics[Measure.classifierAccuracy.name()]?.value }.first
            let floor = runs.compactMap { $0.metrics[Measure.fidFloor.name([.features: space])]?.value }.first
            var note = "@\(space): features of a classifier trained on this data"
            if let accuracy { note += String(format: ", test accuracy %.1f %%", 100 * accuracy) }
            if let floor { note += String(format: ", distance of training to test images %.2f", floor) }
            if let reference = measured.referenceCount ?? measured.count {
                note += "; \(reference) reference images"
            }
            notes.append(note)
        }
        let counts = scores.filter { $0.measure == .gfid }.flatMap { all($0.text, arms) }.compactMap(\.count)
        if Set(counts).count == 1, let count = counts.first {
            notes.append("gFID: \(count) samples against held-out images; prior_gap: the same against reconstructions of them")
        }
        if names.contains(Measure.probeTop1.name()) {
            notes.append("probe.top1: prologue tokens, or the first as many tokens of a tokenizer without a prologue")
        }
        return notes
    }
}
