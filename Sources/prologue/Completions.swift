import ArgumentParser
import Foundation
import Metrics
import RunStore

/// What a shell offers when the tabulator key is pressed: names from the store that the command line, or the environment,
/// names. Whatever cannot be read offers nothing.
extension CompletionKind {
    /// Ids of runs.
    static var runs: CompletionKind { names { try $0.runIDs() } }

    /// Ids of runs and stages.
    static var runsAndStages: CompletionKind { names { try $0.runIDs() + $0.stageIDs() } }

    /// Names of sweeps that have runs.
    static var sweeps: CompletionKind {
        names { store in Set(try store.runIDs().compactMap { try? store.run($0).sweep }).sorted() }
    }

    /// Scores that runs of the store have, with and without their feature space.
    static var metrics: CompletionKind {
        names { store in
            let stages = Set(try store.runIDs().flatMap { (try? store.run($0).stages.values).map(Array.init) ?? [] })
            let scores = stages.flatMap { (try? store.stage(id: $0).scores()) ?? [:] }.flatMap { $0.value.values.keys }
            return Set(scores).union(scores.map { MetricName($0).short }).sorted()
        }
    }

    private static func names(_ read: @escaping @Sendable (Store) throws -> [String]) -> CompletionKind {
        .custom { words, _, _ in store(words).flatMap { try? read($0) } ?? [] }
    }

    private static func store(_ words: [String]) -> Store? {
        var options = StoreOptions()
        options.store = words.firstIndex(of: "--store").flatMap { words.indices.contains($0 + 1) ? words[$0 + 1] : nil }
        return try? options.existing()
    }
}
