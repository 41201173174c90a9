import Experiment
import Files
import Foundation

/// Under what protocols the scores of arms were measured.
struct ComparisonProtocols {
    private let arms: [SweepResults.Arm]

    init(_ arms: [SweepResults.Arm]) { self.arms = arms }

    /// The protocols of a score's values. The seed is part of each, and is what replicates are meant to differ in.
    func all(_ name: String, _ arms: [SweepResults.Arm]) -> Set<JSONValue> {
        Set(arms.flatMap { arm in
            arm.runs.compactMap { run in
                guard case .object(var members)? = run.metrics[name]?.protocol else { return nil }
                members["seed"] = nil
                return .object(members)
            }
        })
    }

    /// In what some protocols differ: "count = 2000 or 5000; …".
    private func differences(_ all: Set<JSONValue>) -> String {
        let keys = Set(all.flatMap { $0.objectValue?.keys.map { String($0) } ?? [] }).sorted()
        return keys.filter { key in Set(all.map { $0[key] }).count > 1 }.map { key in
            let values = Set(all.map { $0[key]?.canonical ?? "none" }).sorted()
            return "\(key) = \(values.joined(separator: " or "))"
        }.joined(separator: "; ")
    }

    func requireOne(_ name: String, _ arms: [SweepResults.Arm]) throws {
        let all = all(name, arms)
        guard all.count > 1 else { return }
        throw InputError(
            "'\(name)' was measured under different protocols (\(differences(all))), which do not compare; choose cells with "
                + "--only or --where, or scores with --metric, or put what differs in columns of its own with --columns; "
                + "--mix-protocols puts the values in one column all the same")
    }

    /// What is mixed in a column, where anything is.
    func mixture(_ name: String, _ arms: [SweepResults.Arm]) -> String? {
        let all = all(name, arms)
        guard all.count > 1 else { return nil }
        var spelt: [String] = []
        for one in all.sorted(by: { $0.canonical < $1.canonical }) {
            let labels = arms.filter { self.all(name, [$0]).contains(one) }.map(\.label)
            spelt.append("\(labels.joined(separator: ", ")) with \(ownValues(one, among: all))")
        }
        return "PROTOCOLS ARE MIXED in \(name), whose values do not compare: \(spelt.joined(separator: "; "))"
    }

    private func ownValues(_ one: JSONValue, among all: Set<JSONValue>) -> String {
        let keys = Set(all.flatMap { $0.objectValue?.keys.map { String($0) } ?? [] }).sorted()
        return keys.filter { key in Set(all.map { $0[key] }).count > 1 }
            .map { "\($0) \(one[$0]?.canonical ?? "none")" }.joined(separator: ", ")
    }

    /// What the scores are, for those who see only the table.
    func explanations(_ names: [String]) -> [String] {
        var notes: [String] = []
        if let name = names.first(where: { $0.contains("@") }),
            let measured = all(name, arms).first, let space = name.split(separator: "@").last?.split(separator: ".").first
        {
            let accuracy = arms.lazy.flatMap(\.runs).compactMap { $0.metrics["classifier.accuracy"]?.value }.first
            let floor = arms.lazy.flatMap(\.runs).compactMap { $0.metrics["fid_floor@\(space)"]?.value }.first
            var note = "@\(space): features of a classifier trained on this data"
            if let accuracy { note += String(format: ", test accuracy %.1f %%", 100 * accuracy) }
            if let floor { note += String(format: ", distance of training to test images %.2f", floor) }
            if let reference = measured["reference_count"]?.intValue ?? measured["count"]?.intValue {
                note += "; \(reference) reference images"
            }
            notes.append(note)
        }
        let counts = names.filter { $0.hasPrefix("gfid@") }.flatMap { all($0, arms) }.compactMap { $0["count"]?.intValue }
        if Set(counts).count == 1, let count = counts.first {
            notes.append("gFID: \(count) samples against held-out images; prior_gap: the same against reconstructions of them")
        }
        if names.contains("probe.top1") {
            notes.append("probe.top1: prologue tokens, or the first as many tokens of a tokenizer without a prologue")
        }
        return notes
    }
}
