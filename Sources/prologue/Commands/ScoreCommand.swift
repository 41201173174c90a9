import ArgumentParser
import Evaluation
import Experiment
import Files
import Foundation
import Report

struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score", abstract: "Compare features of samples with those of a reference.",
        discussion: """
            Prints the Fréchet distance, and precision and recall (k = 3) where both sides have features. Files are .npz \
            with 'features' [images, features] or 'mu' and 'sigma', or .h5 with 'features' or 'mean' and 'covariance'.

              prologue score reference.npz samples.npz
              prologue score VIRTUAL_statistics.npz features.h5 --json
            """)

    @Argument(help: "Features or statistics of real images.") var reference: String
    @Argument(help: "Features or statistics of samples.") var samples: String
    @OptionGroup var output: TableOptions

    private static let neighbours = 3

    func run() throws {
        let reference = try FeatureFile(reading: URL(fileURLWithPath: reference))
        let samples = try FeatureFile(reading: URL(fileURLWithPath: samples))
        let dimensions = (reference.statistics.dimensions, samples.statistics.dimensions)
        guard dimensions.0 == dimensions.1 else {
            throw InputError(
                "\(reference.path) has features of \(dimensions.0) dimensions and \(samples.path) of \(dimensions.1): they "
                    + "cannot be compared")
        }
        var footnotes: [String] = []
        func measured<Value>(_ what: String, _ measure: () throws -> Value) -> Value? {
            do { return try measure() } catch {
                footnotes.append("\(what): missing, \(error)")
                return nil
            }
        }
        let distance = measured("Fréchet distance") { try frechetDistance(samples.statistics, reference.statistics) }
        let nearness = measured("Precision and recall") { try precisionRecall(reference, samples) }

        var table = Table(columns: [
            .number("images", key: "count", decimals: 0), .number("reference\nimages", key: "reference_count", decimals: 0),
            .number("dimensions", decimals: 0), .number("Fréchet\ndistance", key: "frechet", decimals: 4),
            .number("precision", decimals: 4), .number("recall", decimals: 4),
        ])
        table.add([
            .number(samples.features.map { Double($0.rows) }), .number(reference.features.map { Double($0.rows) }),
            .number(dimensions.0), .number(distance), .number(nearness?.precision), .number(nearness?.recall),
        ])
        for line in footnotes { table.add(footnote: line) }
        output.show(table, json: json(table, reference, samples))
    }

    private func precisionRecall(_ reference: FeatureFile, _ samples: FeatureFile) throws -> PrecisionRecall {
        func features(_ file: FeatureFile) throws -> DoubleFeatureMatrix {
            guard let features = file.features else {
                throw InputError("\(file.path) has statistics only, and these need the features of each image")
            }
            return features
        }
        let (real, drawn) = (try features(reference), try features(samples))
        return try PrecisionRecall(reference: real, samples: drawn, neighbours: Self.neighbours)
    }

    /// The table, and the protocol of its numbers.
    private func json(_ table: Table, _ reference: FeatureFile, _ samples: FeatureFile) -> JSONValue {
        func describe(_ file: FeatureFile) -> JSONValue {
            [
                "file": .string(file.path), "sha256": .string(file.digest),
                "statistics": file.hasStoredStatistics ? "stored" : "from features",
            ]
        }
        guard case .object(var members) = table.json else { return table.json }
        members["protocol"] = [
            "reference": describe(reference), "samples": describe(samples), "neighbours": .int(Self.neighbours),
        ]
        return .object(members)
    }
}
