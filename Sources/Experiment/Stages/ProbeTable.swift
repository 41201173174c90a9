import Evaluation
import Files
import Foundation
import Metrics
import RunStore
import Settings
import TensorCore

/// What a probe reads, and what it is set against.
struct ProbedSet: Hashable {
    /// The name of a set of tokens.
    let tokens: String
    /// What is read of each token; nil: its code vector.
    var reading: ProbedFeature?
    var control: ProbeControl?

    /// In the stage's file.
    var name: String { [tokens, reading?.rawValue, control?.rawValue].compactMap { $0 }.joined(separator: ".") }

    var fields: [MetricField: String] {
        [.tokens: tokens, .reading: reading?.rawValue, .control: control?.rawValue].compactMapValues { $0 }
    }
}

/// Accuracies of several probes of the same images.
struct ProbeTable {
    let trainLabels, testLabels: [Int]
    let classes: Int
    let settings: ProbeSettings
    private(set) var values: [String: Double?]
    private var reports: [(name: String, report: ClassificationReport)] = []
    private var known: [[[Int]]: (report: ClassificationReport, interval: Interval?)] = [:]

    init(trainLabels: [Int], testLabels: [Int], classes: Int, settings: ProbeSettings) {
        (self.trainLabels, self.testLabels, self.classes, self.settings) = (trainLabels, testLabels, classes, settings)
        values = [Measure.probeChance.name(): 1 / Double(classes)]
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
    mutating func add<Rows: RegressionRows>(_ set: ProbedSet, _ train: Rows, _ test: Rows, cells: [[Int]]? = nil) throws {
        var labels = trainLabels
        if set.control == .shuffled {
            var stream = RandomStream(seed: settings.seed, "probe/shuffled-labels")
            labels = stream.permutation(labels.count).map { trainLabels[$0] }
        }
        let report = try ClassificationReport(scores: scores(train, labels, test), labels: testLabels)
        let interval = bootstrapInterval(
            of: report.hits.map { $0 ? 1 : 0 }, resamples: 500, seed: UInt64(settings.seed))
        note(set, report, interval)
        reports.append((set.name, report))
        if let cells { known[cells] = (report, interval) }
    }

    private mutating func note(_ set: ProbedSet, _ report: ClassificationReport, _ interval: Interval?) {
        values.note(.probeTop1, set.fields, report.top1, in: interval)
        values.note(.probeTop5, set.fields, report.top5)
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

    /// Notes the accuracies of a set whose tokens were read before under another name; false where they were not.
    mutating func addKnown(_ set: ProbedSet, cells: [[Int]]) -> Bool {
        guard let (report, interval) = known[cells] else { return false }
        note(set, report, interval)
        return true
    }

    mutating func addMajority() {
        let counts = Dictionary(trainLabels.map { ($0, 1) }, uniquingKeysWith: +)
        let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
        values.note(.probeMajority, Double(testLabels.count { $0 == most }) / Double(max(1, testLabels.count)))
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
