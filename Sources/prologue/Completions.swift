import ArgumentParser
import Foundation
import Metrics
import RunStore

/// What a shell offers when the tabulator key is pressed: names from the store that the command line, or the environment,
/// names. Whatever cannot be read offers nothing.
extension CompletionKind {
    /// Ids of runs.
    static var runs: CompletionKind { .custom { words, _, _ in store(words)?.runIDs() ?? [] } }

    /// Ids of runs and stages.
    static var runsAndStages: CompletionKind {
        .custom { words, _, _ in store(words).map { $0.runIDs() + $0.stageIDs() } ?? [] }
    }

    /// Names of sweeps that have runs.
    static var sweeps: CompletionKind {
        .custom { words, _, _ in
            guard let store = store(words) else { return [] }
            return Set(store.runIDs().compactMap { try? store.run($0).sweep }).sorted()
        }
    }

    /// Scores that runs of the store have, with and without their feature space.
    static var metrics: CompletionKind {
        .custom { words, _, _ in
            guard let store = store(words) else { return [] }
            let stages = Set(store.runIDs().flatMap { (try? store.run($0).stages.values).map(Array.init) ?? [] })
            let scores = stages.flatMap { (try? store.stage(id: $0).scores()) ?? [:] }.flatMap { $0.value.values.keys }
            return Set(scores).union(scores.map { MetricName($0).short }).sorted()
        }
    }

    private static func store(_ words: [String]) -> Store? {
        var options = StoreOptions()
        options.store = words.firstIndex(of: "--store").flatMap { words.indices.contains($0 + 1) ? words[$0 + 1] : nil }
        return try? options.existing()
    }
}
