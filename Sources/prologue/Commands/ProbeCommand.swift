import ArgumentParser
import Experiment
import Files
import Foundation
import Metrics
import Report
import Settings

struct ProbeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe", abstract: "Linear probe of the tokens of runs, or of any features.",
        discussion: """
            Multinomial logistic regression on standardised features; its penalty is chosen on a fifth of the training
            rows, never on test rows. --classifier mae: the linear head that masked autoencoders are probed with (batch
            norm without affine weights, LARS, a cosine schedule with warm-up) instead. A features file has the datasets
            train_features, train_labels, test_features and test_labels; labels are any whole numbers, one for each row.

              prologue probe quickstart-baseline-2d-s0 quickstart-prologue-s0
              prologue probe quickstart-prologue-s0 --tokens prologue all --read codes
              prologue probe --features features.h5 --json
              prologue probe --features features.h5 --classifier mae
            """)

    @Argument(help: "Run ids, or the beginnings of ids.", completion: .runs) var runs: [String] = []
    @Option(help: "An HDF5 file of features and labels instead of runs.") var features: String?
    @Option(
        name: .customLong("tokens"), parsing: .upToNextOption,
        help: "Sets of tokens: \(ProbedTokens.allCases.map(\.rawValue).joined(separator: ", ")) (default: the run's).")
    var tokens: [ProbedTokens] = []
    @Option(
        parsing: .upToNextOption,
        help: "What is read of them: \(ProbedFeature.allCases.map(\.rawValue).joined(separator: ", ")) (default: the run's).")
    var read: [ProbedFeature] = []
    @Option(
        parsing: .upToNextOption,
        help: "Controls: \(ProbeControl.allCases.map(\.rawValue).joined(separator: ", ")) (default: the run's).")
    var controls: [ProbeControl] = []
    @Option(
        help:
            "How the classifier is fitted: \(ProbeClassifier.allCases.map(\.rawValue).joined(separator: ", ")) (default: the run's, logistic for a file)."
    )
    var classifier: ProbeClassifier?
    @Option(help: "Training images, evenly over the classes.") var trainCount: Int?
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: TableOptions

    func validate() throws {
        guard runs.isEmpty != (features == nil) else {
            throw ValidationError("give runs, or --features FILE.h5, and not both")
        }
    }

    func run() async throws {
        if let features { return try probeFile(URL(fileURLWithPath: features)) }
        Interruption.listen()
        let context = try store.context()
        var table = Table(columns: [
            .text("run"), .text("tokens"), .number("top-1", key: "top1", decimals: 4, better: .higher),
            .number("top-5", key: "top5", decimals: 4, better: .higher),
        ])
        for given in runs {
            let record = try context.run(given)
            let plan = try context.plan(of: record)
            var settings = plan.settings.probe
            if let classifier { settings.classifier = classifier }
            if let trainCount { settings.trainCount = trainCount }
            if !tokens.isEmpty { settings.tokens = tokens }
            if !read.isEmpty { settings.features = read }
            if !controls.isEmpty { settings.controls = controls }
            let values = try plan.probe(settings, context)
            for (name, top1) in values.map({ (MetricName($0), $1) }).sorted(by: { $0.0 < $1.0 }) {
                guard name.measure == .probeMajority || name.measure == .probeTop1 && name.tokens != nil && name[.bound] == nil
                else { continue }
                let what = [name[.tokens] ?? "majority", name[.reading] ?? name[.control]].compactMap { $0 }
                let top5 = name.tokens == nil ? nil : values[Measure.probeTop5.name(name.fields)] ?? nil
                table.add([.text(record.id), .text(what.joined(separator: ".")), .number(top1), .number(top5)])
            }
        }
        table.add(
            footnote:
                "prologue: the K prologue tokens; first, random, pooled: as many visual ones; after a point what is read, if not the code "
                + "vectors, or the control")
        output.show(table)
    }

    private func probeFile(_ url: URL) throws {
        let file = try ProbeFile(reading: url)
        let classifier = classifier ?? .logistic
        let result = try file.probe(classifier)
        var table = Table(columns: [
            .number("top-1", key: "top1", decimals: 4), .number("top-5", key: "top5", decimals: 4),
            .number("train", decimals: 0), .number("test", decimals: 0),
        ])
        table.add([
            .number(result.report.top1), .number(result.report.top5), .number(file.trainCount), .number(file.testCount),
        ])
        for warning in result.warnings { table.add(footnote: "warning: \(warning)") }
        output.show(
            table,
            json: [
                "top1": .number(result.report.top1), "top5": .number(result.report.top5), "classes": .int(file.classes),
                "train_count": .int(file.trainCount), "test_count": .int(file.testCount),
                "penalty": result.penalty.map { .number($0) } ?? .null, "converged": result.converged.map { .bool($0) } ?? .null,
                "classifier": .string(classifier.rawValue), "warnings": .array(result.warnings.map { .string($0) }),
            ])
    }
}

extension ProbedTokens: ExpressibleByArgument {}
extension ProbedFeature: ExpressibleByArgument {}
extension ProbeControl: ExpressibleByArgument {}
extension ProbeClassifier: ExpressibleByArgument {}
