import Files
import RunStore

/// In what runs differ: settings, seeds, code, machine, scores, from the store's files. What they share is left out.
public struct RunDifference: Sendable {
    public struct Row: Sendable, Equatable {
        /// `config.prior.dim`, `seeds.prior`, `code.commit`, `machine.processor`, `metrics.rfid@…`, `protocol.rfid@….count`.
        public let key: String
        /// One a run, in their order; nil where a run has nothing of the kind.
        public let values: [JSONValue?]
    }

    public let runs: [String]
    public let rows: [Row]

    /// - Throws: `InputError` where a run is missing or its files are damaged.
    public init(_ ids: [String], in store: Store) throws {
        precondition(ids.count > 1, "a difference of \(ids.count) runs")
        runs = ids
        let facts = try ids.map { try Self.facts(of: $0, in: store) }
        let groups = ["config.", "seeds.", "code.", "machine.", "metrics.", "protocol."]
        let keys = Set(facts.flatMap(\.keys)).sorted { left, right in
            func place(_ key: String) -> Int { groups.firstIndex { key.hasPrefix($0) } ?? groups.count }
            return (place(left), left) < (place(right), right)
        }
        rows = keys.compactMap { key in
            let values = facts.map { $0[key] }
            return Set(values).count > 1 ? Row(key: key, values: values) : nil
        }
    }

    /// Everything that two runs may differ in, by key.
    private static func facts(of id: String, in store: Store) throws -> [String: JSONValue] {
        let run = try store.run(id)
        var facts: [String: JSONValue] = [:]
        func put(_ group: String, _ value: JSONValue) {
            for (key, leaf) in value.flattened(under: group) { facts[key] = leaf }
        }
        var settings = run.config.objectValue ?? [:]
        // They stand among the seeds.
        settings["seed"] = nil
        settings["seeds"] = nil
        put("config", .object(settings))
        put("seeds", .object(run.seeds.mapValues { .int($0) }))
        put("code", ["commit": .string(run.codeVersion.commit), "changed": .bool(run.codeVersion.hasLocalChanges)])
        put("machine", try JSONValue(encoding: run.machine))
        for stage in run.stages.values {
            for measured in try store.entry(ofStage: stage)?.measurements.values.map({ $0 }) ?? [] {
                for (name, value) in measured.values {
                    facts["metrics.\(name)"] = value.map { .number($0) } ?? .null
                    var shared = measured.protocol.objectValue ?? [:]
                    shared["seed"] = nil
                    put("protocol.\(name)", .object(shared))
                }
            }
        }
        return facts
    }
}
