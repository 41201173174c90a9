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
        Set(arms.flatMap { arm in arm.runs.flatMap { $0.all(name).map { MeasuringProtocol($0.protocol) } } })
    }

    /// Protocols in the order of what tells them apart, with it: "tokens 4".
    func sorted(_ all: Set<MeasuringProtocol>) -> [(value: MeasuringProtocol, told: String)] {
        let keys = MeasuringProtocol.differing(all)
        return all.map { (value: $0, told: $0.described(by: keys)) }.sorted { left, right in
            for key in keys where left.value[key] != right.value[key] {
                return MeasuringProtocol.comesBefore(left.value[key] ?? .null, right.value[key] ?? .null)
            }
            return false
        }
    }

    /// Where values of scores do not compare: in what their protocols differ, or which are mixed in a column.
    ///
    /// - Parameter columns: arms whose values stand in one column.
    func notes(_ names: [String], _ columns: [[SweepResults.Arm]], mixed: Bool) -> [String] {
        if mixed { return names.flatMap { name in columns.compactMap { mixture(name, $0) } } }
        var told: [(difference: String, scores: [String])] = []
        for name in names {
            for arms in columns {
                let all = all(name, arms)
                guard all.count > 1 else { continue }
                let difference = MeasuringProtocol.difference(all)
                if let place = told.firstIndex(where: { $0.difference == difference }) {
                    told[place].scores.append(MetricName(name).short)
                } else {
                    told.append((difference, [MetricName(name).short]))
                }
            }
        }
        return told.map { difference, scores in
            let scores = scores.uniqued()
            return "\(scores.joined(separator: ", ")) \(scores.count == 1 ? "was" : "were") measured under different protocols "
                + "(\(difference)), which do not compare: each has a column of its own (--mix-protocols puts them in one)"
        }
    }

    private func mixture(_ name: String, _ arms: [SweepResults.Arm]) -> String? {
        let all = all(name, arms)
        guard all.count > 1 else { return nil }
        let spelt = sorted(all).map { one in
            let labels = arms.filter { self.all(name, [$0]).contains(one.value) }.map(\.label)
            return "\(labels.joined(separator: ", ")) with \(one.told)"
        }
        return "PROTOCOLS ARE MIXED in \(name), whose values do not compare: \(spelt.joined(separator: "; "))"
    }

    /// What a perfect sampler would have of as many samples: no arm can be expected below it.
    private func floors(_ scores: [MetricName]) -> [String] {
        scores.compactMap { score -> String? in
            let floor: Measure? = [Measure.gfid: .gfidFloor, .priorGap: .priorGapFloor][score.measure]
            guard let floor, score.place == nil else { return nil }
            let values = arms.flatMap { $0.values(floor.name(score.fields)).map(\.value) }
            guard let least = values.min(), let most = values.max() else { return nil }
            let shown = [least, most].map { NumberFormat.fixed($0, decimals: score.measure.decimals) }.uniqued()
            return "\(score.short): a perfect sampler of as many samples would have \(shown.joined(separator: " to ")) (disjoint parts of "
                + "what is compared with)"
        }
    }

    /// What the scores are, for those who see only the table.
    func explanations(_ names: [String]) -> [String] {
        var notes: [String] = []
        let scores = names.map { MetricName($0) }
        let ofInception = scores.filter { $0[.features] == MetricField.inceptionSpace }
        if let name = ofInception.first(where: { $0.measure == .gfid }) ?? ofInception.first, let measured = all(name.text, arms).first {
            let verdict = measured.members["published"]?.stringValue ?? "not told"
            notes.append(
                "@\(MetricField.inceptionSpace): features of the Inception network that published scores use; \(name.short) and published values: \(verdict)"
            )
        }
        if let name = scores.first(where: { !["pixels", MetricField.inceptionSpace].contains($0[.features] ?? "pixels") }),
            let space = name[.features], let measured = all(name.text, arms).first
        {
            let runs = arms.lazy.flatMap(\.runs)
            let accuracy = runs.compactMap { $0.metrics[Measure.classifierAccuracy.name()]?.value }.first
            let floor = runs.compactMap { $0.metrics[Measure.fidFloor.name([.features: space])]?.value }.first
            var note = "@\(space): features of a classifier trained on this data"
            if let accuracy { note += String(format: ", test accuracy %.1f %%", 100 * accuracy) }
            if let floor { note += String(format: ", distance of training to test images %.2f", floor) }
            if let reference = measured.referenceCount ?? measured.count { note += "; \(reference) reference images" }
            notes.append(note)
        }
        let counts = scores.filter { $0.measure == .gfid }.flatMap { all($0.text, arms) }.compactMap(\.count)
        if Set(counts).count == 1, let count = counts.first {
            notes.append("gFID: \(count) samples against held-out images; prior_gap: the same against reconstructions of them")
        }
        notes += floors(scores)
        if names.contains(Measure.probeTop1.name()) {
            notes.append("probe.top1: prologue tokens, or the first as many tokens of a tokenizer without a prologue")
        }
        return notes
    }
}
