import Files
import Settings

/// The seeds of one replicate.
struct SeedChoice: Equatable {
    let seed: Int
    let seeds: SeedSettings

    static let single = SeedChoice(seed: 0, seeds: SeedSettings())
    private static let stages = ["tokenizer", "prior", "sampler"]

    /// Reads `seeds`:
    /// - `3` or `[0, 1, 2]` or `{range: [0, 9, 1]}`: one seed for all stages;
    /// - `{tokenizer: 0, prior: [0, 1, 2]}`: stages apart, in step; a single value serves all replicates;
    /// - `[{tokenizer: 0, prior: 7}, …]`: each replicate written out.
    ///
    /// Where stages are named, replicates are numbered from 0, and stages not named have the number as their seed.
    static func read(_ value: SourceValue?) throws -> [SeedChoice] {
        guard let value else { return [.single] }
        let choices: [SeedChoice]
        if let entries = value.entries, !NumberRange.isRange(value) {
            choices = try inStep(entries, at: value.place)
        } else if let items = value.items, items.contains(where: { $0.entries != nil }) {
            choices = try items.enumerated().map { index, item in
                guard let entries = item.entries else {
                    throw item.place.error("seeds mixes numbers and maps; write every replicate as a map")
                }
                return try named(entries.map { ($0, try seed($0.value)) }, number: index)
            }
        } else {
            let written = value.json.intValue == nil ? try NumberRange.values(of: value, path: "seeds") : [value]
            choices = try written.map { item in
                let number = try seed(item)
                return SeedChoice(seed: number, seeds: SeedSettings(all: number))
            }
        }
        var seen: Set<String> = []
        for choice in choices {
            guard seen.insert(describe(choice.seeds)).inserted else {
                throw value.place.error("seeds has the same replicate twice: \(describe(choice.seeds))")
            }
        }
        return choices
    }

    /// `seeds: 5` is a seed, not a number of runs; whoever writes it may mean either.
    static func notes(_ value: SourceValue?) -> [String] {
        guard let value, let seed = value.json.intValue, seed > 1 else { return [] }
        return [
            "seeds: \(seed) is one run with seed \(seed); \(seed) runs are seeds: {range: [0, \(seed - 1), 1]}"
        ]
    }

    private static func inStep(_ entries: [SourceEntry], at place: Place) throws -> [SeedChoice] {
        let lists = try entries.map { entry in
            (
                entry,
                try
                    (entry.value.json.intValue == nil
                    ? NumberRange.values(of: entry.value, path: "seeds.\(entry.key)") : [entry.value]).map(seed)
            )
        }
        let count = lists.map(\.1.count).max() ?? 0
        guard count > 0 else { throw place.error("seeds has no values, so there is nothing to run") }
        guard lists.allSatisfy({ $0.1.count == count || $0.1.count == 1 }) else {
            let lengths = lists.map { "\($0.0.key) has \($0.1.count)" }.joined(separator: ", ")
            throw place.error("lists under seeds must be equally long, or have one value: \(lengths)")
        }
        return try (0..<count).map { index in
            try named(lists.map { ($0.0, $0.1.count == 1 ? $0.1[0] : $0.1[index]) }, number: index)
        }
    }

    private static func named(_ values: [(SourceEntry, Int)], number: Int) throws -> SeedChoice {
        var seeds = SeedSettings(all: number)
        for (entry, value) in values {
            switch entry.key {
            case "tokenizer": seeds.tokenizer = value
            case "prior": seeds.prior = value
            case "sampler": seeds.sampler = value
            default:
                throw entry.place.error(
                    "unknown key seeds.\(entry.key); seeds has \(stages.joined(separator: ", "))"
                        + Schema.hint(for: entry.key, among: stages))
            }
        }
        return SeedChoice(seed: number, seeds: seeds)
    }

    private static func seed(_ value: SourceValue) throws -> Int {
        guard let number = value.json.intValue, number >= 0 else {
            throw value.place.error("a seed must be a whole number from 0 on, not \(value.shown)")
        }
        return number
    }

    private static func describe(_ seeds: SeedSettings) -> String {
        "tokenizer \(seeds.tokenizer), prior \(seeds.prior), sampler \(seeds.sampler)"
    }
}

extension SeedSettings {
    init(all seed: Int) {
        self.init()
        (tokenizer, prior, sampler) = (seed, seed, seed)
    }
}
