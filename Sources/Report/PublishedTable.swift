import Evaluation
import Experiment
import Files
import Foundation
import Metrics
import Sweep

/// What others have published beside what was measured here: the value, ours, by how much they differ, and whether sampling can explain it.
struct PublishedTable {
    let table: Table

    init(_ results: SweepResults, _ published: [String: [String: PublishedValue]], missing: [String: String]) {
        var table = Table(columns: [
            .text("arm"), .text("score"), .number("published", decimals: 2), .number("ours", decimals: 2),
            .number("deviation", decimals: 2), .number("allowed", decimals: 2), .text("verdict"),
        ])
        var obstacles: [(text: String, arms: [String])] = []
        for arm in results.arms {
            for (score, value) in (published[arm.cell] ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard let name = arm.name(score), let ours = Estimate(of: arm.values(name.text).map(\.value))?.mean else {
                    let reason = missing[arm.cell] == nil ? "not measured" : "no checkpoint"
                    table.add([.text(arm.label), .text(score), .number(value.value), .missing, .missing, .missing, .text(reason)])
                    continue
                }
                let (deviation, allowed) = (ours - value.value, arm.allowed(name, value))
                var verdict = allowed.map { abs(deviation) <= $0 ? "within noise" : "beyond noise" } ?? "noise not known"
                if let told = arm.obstacle(name) {
                    verdict = "not comparable"
                    if let place = obstacles.firstIndex(where: { $0.text == told }) {
                        if !obstacles[place].arms.contains(arm.label) { obstacles[place].arms.append(arm.label) }
                    } else {
                        obstacles.append((told, [arm.label]))
                    }
                }
                table.add([
                    .text(arm.label), .text(score), .number(value.value), .number(ours), .number(deviation), .number(allowed),
                    .text(verdict),
                ])
            }
        }
        if !table.rows.isEmpty {
            table.add(
                footnote: "allowed: two standard deviations of a difference of two samplings, and what the published value was rounded by; "
                    + "gFID's is resampled, that of the inception score is what its parts say, that of precision and recall is a share's")
        }
        for (text, arms) in obstacles { table.add(footnote: "\(arms.joined(separator: ", ")): \(text)") }
        for arm in results.arms { if let reason = missing[arm.cell] { table.add(footnote: "\(arm.label): \(reason)") } }
        self.table = table
    }
}

extension SweepResults.Arm {
    /// The score of these runs that `given` means.
    fileprivate func name(_ given: String) -> MetricName? {
        let names = Set(runs.flatMap(\.metrics.keys)).map { MetricName($0) }.filter { $0.isMeant(by: given) }.sorted()
        // Published values are of Inception's features, whatever else was measured in.
        return names.first { $0[.features] == MetricField.inceptionSpace } ?? names.first
    }

    /// Why a score does not compare with published ones; nil where it does.
    fileprivate func obstacle(_ name: MetricName) -> String? {
        if let space = name[.features], space != MetricField.inceptionSpace, space != "pixels" {
            return "not comparable: features of \(space), not of \(MetricField.inceptionSpace)"
        }
        let told = runs.compactMap { $0.metrics[name.text]?.protocol["published"]?.stringValue }.first
        return told == "comparable" ? nil : told
    }

    /// By how much ours may differ from a published value; nil: how much it varies is not known.
    fileprivate func allowed(_ name: MetricName, _ published: PublishedValue) -> Double? {
        let measured = runs.lazy.compactMap { $0.metrics[name.text].map { MeasuringProtocol($0.protocol) } }.first
        func share(of count: Int?) -> Double? {
            count.map { (max(0, published.value * (1 - published.value)) / Double($0)).squareRoot() }
        }
        let deviation: Double? =
            switch name.measure {
            case .gfid: Estimate(of: values(Measure.gfidNoise.name(name.fields)).map(\.value))?.mean
            case .precision: share(of: measured?.count)
            case .recall: share(of: measured?.referenceCount)
            // Its parts vary; of their mean that leaves a part.
            case .inceptionScore:
                Estimate(of: values(Measure.inceptionScoreDeviation.name(name.fields)).map(\.value)).flatMap { deviation in
                    let parts = measured?.members["splits"]?.intValue ?? 0
                    return parts > 1 ? deviation.mean / Double(parts - 1).squareRoot() : nil
                }
            // Reconstructions of the same images are drawn by nobody.
            case .rfid: 0
            default: nil
            }
        // Two standard deviations, of two values that were both sampled.
        return deviation.map { 2 * 2.0.squareRoot() * $0 + published.rounding }
    }
}
