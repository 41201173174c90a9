import Evaluation
import Experiment
import Files
import Foundation
import RunStore

/// Arms as rows, scores as columns, budgets beside them: what `prologue compare` prints.
///
/// It refuses to mislead: values measured under different protocols are not put in one column, and differing budgets
/// are named under the table.
public struct ComparisonTable {
    public let table: Table
    /// One sentence on how large the noise is.
    public let noise: String

    /// - Parameter metrics: names, with or without feature space; empty: rFID, gFID and prior gap of every sampler,
    ///   probe accuracy.
    public init(_ results: SweepResults, metrics wanted: [String] = []) throws {
        let names = try wanted.isEmpty ? Self.usual(results) : wanted.map(results.metricName)
        for name in names { try Self.requireOneProtocol(name, results) }

        let repeats = results.arms.map(\.runs.count).max() ?? 0
        var columns: [Table.Column] = [.text("arm"), .number("seeds", decimals: 0)]
        columns += names.map(Self.column)
        columns += [
            .number("tokenizer\nsteps", key: "tokenizer.steps", decimals: 0),
            .number("prior\nsteps", key: "prior.steps", decimals: 0),
            .number("params", key: "parameters", unit: "M", decimals: 2),
            .number("training", key: "seconds", unit: "s", decimals: 0),
        ]
        var table = Table(columns: columns)
        for arm in results.arms {
            let measured = arm.runs.filter { !$0.metrics.isEmpty }
            var row: [Table.Cell] = [.text(arm.label), .number(measured.count)]
            row += names.map { name in
                let values = arm.values(name).map(\.value)
                return repeats > 1 ? .estimate(Estimate(of: values)) : .number(values.first)
            }
            row += Self.budgets(measured)
            table.add(row)
        }
        for note in Self.budgetNotes(results) + Self.protocolNotes(names, results) { table.add(footnote: note) }
        if repeats > 1 { for note in Self.differences(names, results) { table.add(footnote: note) } }
        noise = Self.noise(names, results, repeats: repeats)
        self.table = table
    }

    // MARK: Columns

    private static func usual(_ results: SweepResults) -> [String] {
        let names = results.metricNames
        func starting(_ prefix: String) -> [String] { names.filter { $0.hasPrefix(prefix) } }
        return starting("rfid@") + starting("gfid@") + starting("prior_gap@") + names.filter { $0 == "probe.top1" }
    }

    private static func column(_ name: String) -> Table.Column {
        let measure = name.prefix { $0 != "@" && $0 != "." }
        let isShare = ["probe", "class_agreement", "classifier", "precision", "recall", "ssim"].contains(measure)
        let isBetterHigher = isShare || ["is", "is_real", "psnr"].contains(measure)
        return .number(title(name), key: name, decimals: isShare ? 3 : 2, better: isBetterHigher ? .higher : .lower)
    }

    /// `gfid@fashion-cnn.nocfg` over three lines: gFID, @fashion-cnn, nocfg.
    private static func title(_ name: String) -> String {
        guard let at = name.firstIndex(of: "@") else { return name.replacing(".", with: "\n") }
        var measure = name[..<at].replacing("_", with: " ")
        for (word, spelt) in [
            ("gfid", "gFID"), ("rfid", "rFID"), ("sfid", "sFID"), ("psnr", "PSNR"), ("ssim", "SSIM"), ("l1", "L1"),
        ] { measure = measure.replacing(word, with: spelt) }
        if measure == "is" || measure == "is real" { measure = measure.replacing("is", with: "IS") }
        return measure + "\n" + name[at...].replacing(".", with: "\n")
    }

    // MARK: Budgets

    private static func budgets(_ runs: [SweepResults.Run]) -> [Table.Cell] {
        func mean(_ value: (SweepResults.Run) -> Double?) -> Table.Cell {
            let values = runs.compactMap(value)
            return values.isEmpty ? .missing : .number(values.reduce(0, +) / Double(values.count))
        }
        return [
            mean { $0.stages["tokenizer"]?.summary["steps"]?.doubleValue },
            mean { $0.stages["prior"]?.summary["steps"]?.doubleValue },
            mean { run in
                guard let tokenizer = run.stages["tokenizer"]?.summary["parameters"]?.doubleValue,
                    let prior = run.stages["prior"]?.summary["parameters"]?.doubleValue
                else { return nil }
                return (tokenizer + prior) / 1e6
            },
            mean { run in
                guard let tokenizer = run.stages["tokenizer"], let prior = run.stages["prior"] else { return nil }
                return tokenizer.wallSeconds + prior.wallSeconds
            },
        ]
    }

    private static func budgetNotes(_ results: SweepResults) -> [String] {
        ["tokenizer", "prior"].compactMap { role in
            let steps = results.arms.map { arm in
                (arm.label, arm.runs.compactMap { $0.stages[role]?.summary["steps"]?.intValue }.max())
            }
            let different = Set(steps.compactMap(\.1))
            guard different.count > 1 else { return nil }
            return "budgets differ: \(role) steps "
                + steps.map { "\($0.0) \($0.1.map(String.init) ?? "–")" }.joined(separator: ", ")
        }
    }

    // MARK: Protocols

    /// Protocols of a metric's values. The seed is part of each, and is what replicates are meant to differ in.
    private static func protocols(_ name: String, _ results: SweepResults) -> Set<JSONValue> {
        Set(results.arms.flatMap { arm in
            arm.runs.compactMap { run in
                guard case .object(var members)? = run.metrics[name]?.protocol else { return nil }
                members["seed"] = nil
                return .object(members)
            }
        })
    }

    private static func requireOneProtocol(_ name: String, _ results: SweepResults) throws {
        let all = protocols(name, results)
        guard all.count > 1 else { return }
        let keys = Set(all.flatMap { $0.objectValue?.keys.map { String($0) } ?? [] }).sorted()
        let differing = keys.filter { key in Set(all.map { $0[key] }).count > 1 }
        let spelt = differing.map { key in
            "\(key) = \(all.map { $0[key]?.canonical ?? "none" }.sorted().joined(separator: " or "))"
        }
        throw InputError(
            "'\(name)' was measured under different protocols (\(spelt.joined(separator: "; "))), which do not compare; "
                + "choose cells with --only or metrics with --metric")
    }

    private static func protocolNotes(_ names: [String], _ results: SweepResults) -> [String] {
        var notes: [String] = []
        if let name = names.first(where: { $0.contains("@") }),
            let measured = protocols(name, results).first, let space = name.split(separator: "@").last?.split(separator: ".").first
        {
            let accuracy = results.arms.lazy.flatMap(\.runs).compactMap { $0.metrics["classifier.accuracy"]?.value }.first
            let floor = results.arms.lazy.flatMap(\.runs).compactMap { $0.metrics["fid_floor@\(space)"]?.value }.first
            var note = "@\(space): features of a classifier trained on this data"
            if let accuracy { note += String(format: ", test accuracy %.1f %%", 100 * accuracy) }
            if let floor { note += String(format: ", distance of training to test images %.2f", floor) }
            if let reference = measured["reference_count"]?.intValue ?? measured["count"]?.intValue {
                note += "; \(reference) reference images"
            }
            notes.append(note)
        }
        if let name = names.first(where: { $0.hasPrefix("gfid@") }),
            let count = protocols(name, results).first?["count"]?.intValue
        {
            notes.append("gFID: \(count) samples against held-out images; prior_gap: the same against reconstructions of them")
        }
        if names.contains("probe.top1") {
            notes.append("probe.top1: prologue tokens, or the first as many tokens of a tokenizer without a prologue")
        }
        return notes
    }

    // MARK: Differences and noise

    /// Differences to the baseline, paired by seed.
    private static func differences(_ names: [String], _ results: SweepResults) -> [String] {
        guard let baseline = results.arms.first(where: \.isBaseline) else { return [] }
        return results.arms.filter { !$0.isBaseline }.flatMap { arm in
            names.compactMap { name -> String? in
                let reference = Dictionary(baseline.values(name).map { ($0.seed, $0.value) }, uniquingKeysWith: { $1 })
                let pairs = arm.values(name).compactMap { value in reference[value.seed].map { (value.value, $0) } }
                guard let comparison = ArmComparison(paired: pairs.map(\.0), baseline: pairs.map(\.1)),
                    let interval = comparison.difference.interval
                else { return nil }
                let p = comparison.pValue.map { String(format: ", p = %.3g", $0) } ?? ""
                return String(
                    format: "%@ − %@, %@: %+.3f [%+.3f, %+.3f], %d pairs%@", arm.label, baseline.label, name,
                    comparison.difference.mean, interval.low, interval.high, comparison.difference.count, p)
            }
        }
    }

    private static func noise(_ names: [String], _ results: SweepResults, repeats: Int) -> String {
        if repeats > 1 { return "± is the 95 % interval over seeds; differences are paired by seed." }
        let deviations = results.arms.flatMap { arm in
            arm.runs.flatMap { run in
                run.metrics.filter { $0.key.hasPrefix("gfid_noise@") && $0.key.hasSuffix(".nocfg") }
                    .compactMap(\.value.value)
            }
        }
        guard let largest = deviations.max() else {
            return "One seed: differences between arms may be chance; run several seeds before believing one."
        }
        return String(
            format: "One seed: drawing other samples alone moves gFID by ±%.1f (95 %%), and training with another seed "
                + "by more; smaller differences mean nothing.", 1.96 * largest)
    }
}
