import Evaluation
import Files
import Foundation
import RunStore
import Settings
import TensorCore

/// Accuracies of several probes of the same images.
struct ProbeTable {
    let trainLabels, testLabels: [Int]
    let classes: Int
    let settings: ProbeSettings
    private(set) var values: [String: Double?]
    private var reports: [(name: String, report: ClassificationReport)] = []
    private var names: [[[Int]]: String] = [:]

    init(trainLabels: [Int], testLabels: [Int], classes: Int, settings: ProbeSettings) {
        (self.trainLabels, self.testLabels, self.classes, self.settings) = (trainLabels, testLabels, classes, settings)
        values = ["probe.chance": 1 / Double(classes)]
    }

    /// How accuracies come about, for the protocol.
    var classifier: String {
        switch settings.classifier {
        case .logistic: "multinomial logistic regression, standardised features"
        case .mae: "linear head of masked autoencoders, LARS"
        }
    }

    /// Fits on training features and notes the accuracies on test features.
    ///
    /// - Parameter cells: the tokens read, where another set of the same tokens need not be fitted again.
    mutating func add<Rows: RegressionRows>(
        _ name: String, _ train: Rows, _ test: Rows, shuffled: Bool = false, cells: [[Int]]? = nil
    ) throws {
        var labels = trainLabels
        if shuffled {
            var stream = RandomStream(seed: settings.seed, "probe/shuffled-labels")
            labels = stream.permutation(labels.count).map { trainLabels[$0] }
        }
        let report = try ClassificationReport(scores: scores(train, labels, test), labels: testLabels)
        let interval = bootstrapInterval(
            of: report.hits.map { $0 ? 1 : 0 }, resamples: 500, seed: UInt64(settings.seed))
        values["probe.\(name).top1"] = report.top1
        values["probe.\(name).top1_low"] = interval?.low
        values["probe.\(name).top1_high"] = interval?.high
        values["probe.\(name).top5"] = report.top5
        reports.append((name, report))
        if let cells { names[cells] = name }
    }

    private func scores<Rows: RegressionRows>(_ train: Rows, _ labels: [Int], _ test: Rows) throws -> FeatureMatrix {
        let seed = UInt64(settings.seed)
        switch settings.classifier {
        case .logistic:
            return try LinearProbe(fitting: train, labels: labels, classes: classes, penalties: settings.l2Grid, seed: seed)
                .model.scores(test)
        case .mae: return try MAEHead(fitting: train, labels: labels, classes: classes, seed: seed).scores(test)
        }
    }

    /// The probe of the same tokens under another name, if there was one.
    func name(ofSameCells set: TokenSet) -> String? { names[set.cells] }

    /// Notes the accuracies of `name` under another name too.
    mutating func copy(_ name: String, to other: String) {
        for measure in ["top1", "top1_low", "top1_high", "top5"] {
            values["probe.\(other).\(measure)"] = values["probe.\(name).\(measure)"]
        }
    }

    mutating func addMajority() {
        let counts = Dictionary(trainLabels.map { ($0, 1) }, uniquingKeysWith: +)
        let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
        values["probe.majority.top1"] = Double(testLabels.count { $0 == most }) / Double(max(1, testLabels.count))
    }

    func write(to url: URL) throws {
        try HDF5File.write(atomicallyTo: url) { file in
            for (name, report) in reports {
                try file.write(
                    report.confusion.flatMap { $0.map(Int32.init) }, to: "\(name).confusion", shape: [classes, classes],
                    attributes: ["axes": ["class", "predicted class"], "unit": "held-out images"])
                try file.write(
                    report.perClass.map { $0 ?? .nan }, to: "\(name).per_class", shape: [classes],
                    attributes: ["axes": ["class"], "content": "accuracy"])
            }
        }
    }
}
