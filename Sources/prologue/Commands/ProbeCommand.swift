import ArgumentParser
import Evaluation
import Experiment
import Files
import Foundation
import Metrics
import Report
import RunStore
import Settings

struct ProbeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe", abstract: "Linear probe of the tokens of runs, or of any features.",
        discussion: """
            Multinomial logistic regression on standardised features; its penalty is chosen on a fifth of the training
            rows, never on test rows. --classifier mae: the linear head that masked autoencoders are probed with (batch
            norm without affine weights, LARS, a cosine schedule with warm-up) instead. A features file has the datasets train_features, train_labels, test_features and
            test_labels.

              prologue probe quickstart-baseline-2d-s0 quickstart-prologue-s0
              prologue probe quickstart-prologue-s0 --tokens prologue all --read codes
              prologue probe --features features.h5 --json
              prologue probe --features features.h5 --classifier mae
            """)

    @Argument(help: "Run ids, or the beginnings of ids.", completion: .runs) var runs: [String] = []
    @Option(help: "An HDF5 file of features and labels instead of runs.") var features: String?
    @Option(name: .customLong("tokens"), parsing: .upToNextOption,
        help: "Sets of tokens: \(ProbedTokens.allCases.map(\.rawValue).joined(separator: ", ")) (default: the run's).")
    var tokens: [ProbedTokens] = []
    @Option(parsing: .upToNextOption,
        help: "What is read of them: \(ProbedFeature.allCases.map(\.rawValue).joined(separator: ", ")) (default: the run's).")
    var read: [ProbedFeature] = []
    @Option(parsing: .upToNextOption,
        help: "Controls: \(ProbeControl.allCases.map(\.rawValue).joined(separator: ", ")) (default: the run's).")
    var controls: [ProbeControl] = []
    @Option(help: "How the classifier is fitted: \(ProbeClassifier.allCases.map(\.rawValue).joined(separator: ", ")) (default: the run's, logistic for a file).")
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
        table.add(footnote: "prologue: the K prologue tokens; first, random, pooled: as many visual ones; after a point what is read, if not the code "
                + "vectors, or the control")
        output.show(table)
    }

    private func probeFile(_ url: URL) throws {
        let file = try HDF5File(reading: url)
        let train = try half("train", file, url)
        let test = try half("test", file, url)
        guard train.matrix.columns == test.matrix.columns else {
            throw InputError(
                file: url.path,
                "train_features has \(train.matrix.columns) columns and test_features \(test.matrix.columns)")
        }
        let classes = (train.labels + test.labels).reduce(0, max) + 1
        let (scores, penalty): (FeatureMatrix, Double?)
        switch classifier ?? .logistic {
        case .logistic:
            let model = try LinearProbe(fitting: train.matrix, labels: train.labels, classes: classes).model
            (scores, penalty) = (model.scores(test.matrix), model.options.penalty)
        case .mae:
            (scores, penalty) = (
                try MAEHead(fitting: train.matrix, labels: train.labels, classes: classes).scores(test.matrix), nil
            )
        }
        let report = try ClassificationReport(scores: scores, labels: test.labels)
        if output.format == .json {
            print(JSONValue.object([
                "top1": .number(report.top1), "top5": .number(report.top5), "classes": .int(classes),
                "train_count": .int(train.labels.count), "test_count": .int(test.labels.count),
                "penalty": penalty.map { .number($0) } ?? .null,
                "classifier": .string((classifier ?? .logistic).rawValue),
            ]).pretty, terminator: "")
        } else {
            var table = Table(columns: [
                .number("top-1", key: "top1", decimals: 4), .number("top-5", key: "top5", decimals: 4),
                .number("train", decimals: 0), .number("test", decimals: 0),
            ])
            table.add([
                .number(report.top1), .number(report.top5), .number(train.labels.count), .number(test.labels.count),
            ])
            output.show(table)
        }
    }

    private func half(_ name: String, _ file: HDF5File, _ url: URL) throws -> (matrix: FeatureMatrix, labels: [Int]) {
        let shape = try file.shape(of: "\(name)_features")
        guard shape.count >= 2, shape[0] > 0 else {
            throw InputError(file: url.path, "\(name)_features has shape \(shape), expected [rows, columns]")
        }
        let values = try (try? file.read("\(name)_features", as: Float.self).values)
            ?? file.read("\(name)_features", as: Double.self).values.map(Float.init)
        let labels = try (try? file.read("\(name)_labels", as: Int64.self).values)
            ?? file.read("\(name)_labels", as: Int32.self).values.map(Int64.init)
        guard labels.count == shape[0] else {
            throw InputError(file: url.path, "\(name)_features has \(shape[0]) rows, \(name)_labels \(labels.count)")
        }
        if let bad = labels.firstIndex(where: { $0 < 0 }) {
            throw InputError(file: url.path, "\(name)_labels[\(bad)] is \(labels[bad]); labels count from 0")
        }
        return (
            FeatureMatrix(rows: shape[0], columns: shape.dropFirst().reduce(1, *), values: values), labels.map(Int.init)
        )
    }
}

extension ProbedTokens: ExpressibleByArgument {}
extension ProbedFeature: ExpressibleByArgument {}
extension ProbeControl: ExpressibleByArgument {}
extension ProbeClassifier: ExpressibleByArgument {}
