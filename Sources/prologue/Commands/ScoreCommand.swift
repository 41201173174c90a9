import ArgumentParser
import Evaluation
import Experiment
import Files
import Foundation
import Report

struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score", abstract: "Compare samples with a reference: images, their features, or statistics of these.",
        discussion: """
            Prints the Fréchet distance; what it would be for infinitely many samples, where their features are there; that of \
            features that keep places (sFID) where both sides have them; the inception score (10 parts in file order) where the \
            samples have class scores; the kernel distance (KID, all pairs) with its standard error, precision and recall (k = 3) \
            where both sides have the features of each image. What a file has not got is missing, and a footnote says so; what it has and \
            cannot be measured is an error.

            .npz files hold 'features' [images, features] or 'mu' and 'sigma', 'spatial' or 'mu_s' and 'sigma_s', 'logits' or \
            'probabilities'; .h5 files the same, with 'mean' and 'covariance', 'spatial_mean' and 'spatial_covariance'. With \
            --inception, images ('arr_0' in .npz, 'images' in .h5, uint8 [images, height, width, channels]) are scored by the \
            Inception network of the published scores; its weights are a safetensors file of pytorch-fid's port. Statistics \
            that a reference has stored are used as they are.

              prologue score reference.npz samples.npz
              prologue score VIRTUAL_statistics.npz features.h5 --json
              prologue score VIRTUAL_imagenet256_labeled.npz samples.npz \\
                --inception pt_inception-2015-12-05.safetensors --device xla
            """)

    @Argument(help: "Real images, their features, or statistics of these.") var reference: String
    @Argument(help: "Samples, or their features.") var samples: String
    @Option(help: ArgumentHelp("Weights of the Inception network, for images.", valueName: "weights")) var inception: String?
    @Flag(help: "Leave out KID, precision and recall, which need the features of all images of the reference.")
    var withoutPrecisionRecall = false
    @OptionGroup var device: DeviceOptions
    @Flag(name: .shortAndLong, help: "No progress, results only.") var quiet = false
    @OptionGroup var output: TableOptions

    func validate() throws {
        if device.name != "cpu", inception == nil {
            throw ValidationError("--device says where the Inception network runs and goes with --inception; all else is computed here")
        }
    }

    private static let neighbours = 3
    private static let splits = 10

    func run() throws {
        let extractor = try inception.map {
            try InceptionExtractor(weights: URL(fileURLWithPath: $0), on: device.choice, progress: ConsoleProgress(isQuiet: quiet))
        }
        let reference = try FeatureFile(
            reading: URL(fileURLWithPath: reference), withoutPrecisionRecall ? .statistics : .everything,
            inception: extractor)
        let samples = try FeatureFile(reading: URL(fileURLWithPath: samples), inception: extractor)
        let dimensions = (reference.statistics.dimensions, samples.statistics.dimensions)
        guard dimensions.0 == dimensions.1 else {
            throw InputError(
                "\(reference.path) has features of \(dimensions.0) dimensions and \(samples.path) of \(dimensions.1): they "
                    + "cannot be compared")
        }
        var missing: [String] = []
        var refusals: [String] = []
        func measured<Value>(_ what: String, _ measure: () throws -> Value) -> Value? {
            do { return try measure() } catch let absence as Absence {
                missing.append("\(what): missing, \(absence.what)")
            } catch {
                refusals.append("\(what) cannot be measured: \(error)")
            }
            return nil
        }
        let distance = measured("Fréchet distance") { try frechetDistance(samples.statistics, reference.statistics) }
        let spatial = measured("sFID") { try spatialDistance(reference, samples) }
        let inception = measured("Inception score") { try inceptionScore(samples) }
        let extrapolated = measured("Distance of infinitely many") { try extrapolatedDistance(samples, reference.statistics) }
        let kernel =
            withoutPrecisionRecall ? nil : measured("Kernel distance") { try kernelDistance(reference, samples) }
        let nearness =
            withoutPrecisionRecall
            ? nil : measured("Precision and recall") { try precisionRecall(reference, samples) }
        let warnings = [("reference", reference), ("samples", samples)].compactMap { name, file in
            file.features.flatMap { fewImages($0.rows, of: name, dimensions: dimensions.0) }
        }

        var table = Table(columns: [
            .number("images", key: "count", decimals: 0), .number("reference\nimages", key: "reference_count", decimals: 0),
            .number("dimensions", decimals: 0), .number("Fréchet\ndistance", key: "frechet", decimals: 4),
            .number("of infinitely\nmany", key: "frechet_inf", decimals: 4),
            .number("KID", key: "kid", decimals: 5), .number("its error", key: "kid_error", decimals: 5),
            .number("spatial\ndistance", key: "spatial_frechet", decimals: 4),
            .number("inception\nscore", key: "inception_score", decimals: 4),
            .number("of its\nparts ±", key: "inception_score_deviation", decimals: 4),
            .number("precision", decimals: 4),
            .number("recall", decimals: 4),
        ])
        table.add([
            .number(samples.features.map { Double($0.rows) }), .number(reference.features.map { Double($0.rows) }),
            .number(dimensions.0), .number(distance),
            .number(extrapolated), .number(kernel?.value), .number(kernel?.standardError), .number(spatial), .number(inception?.mean),
            .number(inception?.deviation),
            .number(nearness?.precision), .number(nearness?.recall),
        ])
        for line in missing + refusals + warnings.map({ "warning: \($0)" }) { table.add(footnote: line) }
        output.show(table, json: json(table, warnings, reference, samples, extractor))
        // After the rest, which may have taken long.
        if !refusals.isEmpty { throw InputError(refusals.joined(separator: "; ")) }
    }

    /// What a file does not have, as distinguished from what it has and is wrong.
    private struct Absence: Error { let what: String }

    private func spatialDistance(_ reference: FeatureFile, _ samples: FeatureFile) throws -> Double {
        func statistics(_ file: FeatureFile) throws -> Gaussian {
            guard let statistics = file.spatial else {
                throw Absence(what: "\(file.path) has no features that keep places")
            }
            return statistics
        }
        return try frechetDistance(statistics(samples), statistics(reference))
    }

    private func inceptionScore(_ samples: FeatureFile) throws -> InceptionScore {
        guard let probabilities = samples.probabilities else {
            throw Absence(what: "\(samples.path) has neither 'logits' nor 'probabilities'")
        }
        guard probabilities.rows >= Self.splits else {
            throw Absence(what: "\(samples.path) has \(probabilities.rows) images, which are not \(Self.splits) parts")
        }
        return try InceptionScore(probabilities: probabilities, splits: Self.splits)
    }

    private func extrapolatedDistance(_ samples: FeatureFile, _ reference: Gaussian) throws -> Double {
        guard let features = samples.features else {
            throw Absence(what: "\(samples.path) has statistics only, and this needs the features of each image")
        }
        guard features.rows >= 4 * features.columns else {
            throw Absence(
                what: "\(samples.path) has \(features.rows) images, fewer than 4 times its \(features.columns) dimensions")
        }
        func extrapolate(_ drawn: some FeatureRows) throws -> Double { try ExtrapolatedDistance(drawn, to: reference).value }
        return try extrapolate(features)
    }

    private func kernelDistance(_ reference: FeatureFile, _ samples: FeatureFile) throws -> KernelDistance {
        guard let real = reference.features, let drawn = samples.features else {
            let lacking = reference.features == nil ? reference : samples
            throw Absence(what: "\(lacking.path) has statistics only, and this needs the features of each image")
        }
        guard real.rows > 2, drawn.rows > 2 else { throw Absence(what: "a side has fewer than 3 images") }
        func compare(_ real: some FeatureRows, _ drawn: some FeatureRows) throws -> KernelDistance {
            try KernelDistance(KernelSet(drawn), to: KernelSet(real))
        }
        return try compare(real, drawn)
    }

    private func precisionRecall(_ reference: FeatureFile, _ samples: FeatureFile) throws -> PrecisionRecall {
        func features(_ file: FeatureFile) throws -> any FeatureRows {
            guard let features = file.features else {
                throw Absence(what: "\(file.path) has statistics only, and these need the features of each image")
            }
            guard features.rows > Self.neighbours else {
                throw Absence(what: "\(file.path) has \(features.rows) images, which have no neighbour number \(Self.neighbours)")
            }
            return features
        }
        func compare(_ real: some FeatureRows, _ drawn: some FeatureRows) throws -> PrecisionRecall {
            try PrecisionRecall(reference: real, samples: drawn, neighbours: Self.neighbours)
        }
        return try compare(features(reference), features(samples))
    }

    /// The table, and the protocol of its numbers.
    private func json(
        _ table: Table, _ warnings: [String], _ reference: FeatureFile, _ samples: FeatureFile, _ inception: InceptionExtractor?
    ) -> JSONValue {
        func describe(_ file: FeatureFile) -> JSONValue {
            [
                "file": .string(file.path), "sha256": .string(file.digest),
                "statistics": file.hasStoredStatistics ? "stored" : "from features",
            ]
        }
        guard case .object(var members) = table.json else { return table.json }
        members["warnings"] = .array(warnings.map { .string($0) })
        members["protocol"] = [
            "reference": describe(reference), "samples": describe(samples), "neighbours": .int(Self.neighbours),
            "splits": .int(Self.splits),
            "inception": inception.map { ["sha256": .string($0.digest), "batch": .int(InceptionExtractor.batch)] } ?? .null,
        ]
        return .object(members)
    }
}
