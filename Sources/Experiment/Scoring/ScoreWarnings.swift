import Evaluation
import Files
import ImageData
import RunStore

/// Why scores of a feature space should be read with care. They are in the stage's log, on the console, and in its record
/// as `summary.warnings`.
struct ScoreWarnings {
    private(set) var texts: [String] = []

    /// - Parameters:
    ///   - reference: the held-out images that samples are compared with; nil: others are.
    ///   - count: how many images enter a distance; nil: not known.
    ///   - samples: how many samples there are.
    init(_ features: FeatureStage, reference: ImageSet?, count: Int?, samples: Int? = nil, _ context: ExperimentContext) throws {
        if features.space != .inception {
            let accuracy = try context.store.stage(features.identity).record?.summary["test_accuracy"]?.doubleValue
            add(classifier: accuracy, on: features.dataset.test)
        }
        if let reference { add(absent: reference) }
        let dimensions = features.width
        let sets = (count.map { [($0, "the reference")] } ?? []) + (samples.map { [($0, "samples")] } ?? [])
        texts += sets.compactMap { fewImages($0, of: $1, dimensions: dimensions) }
    }

    /// A classifier that knows nothing has features that tell nothing.
    private mutating func add(classifier accuracy: Double?, on test: ImageSet) {
        let present = test.classCounts.filter { $0 > 0 }
        guard present.count > 1, test.classNames.count > 1 else {
            texts.append(
                "the images are of one class: the classifier whose features are compared had nothing to learn, and distances in "
                    + "them say little")
            return
        }
        guard let accuracy else { return }
        // What naming the commonest class always gives, and what luck adds to that in 2 of 100 cases at most.
        let chance = Double(present.max() ?? 0) / Double(test.count)
        let luck = 2 * (chance * (1 - chance) / Double(test.count)).squareRoot()
        if accuracy <= chance + luck {
            texts.append(
                "the classifier whose features are compared is no better than chance (\(percent(accuracy)) right; naming the commonest "
                    + "class gives \(percent(chance))): distances in them say little")
        }
    }

    private mutating func add(absent reference: ImageSet) {
        let absent = zip(reference.classNames, reference.classCounts).filter { $1 == 0 }.map { "'\($0.0)'" }
        guard !absent.isEmpty else { return }
        let shown = absent.prefix(3).joined(separator: ", ") + (absent.count > 3 ? ", …" : "")
        texts.append(
            "no held-out images of \(absent.count) of \(reference.classNames.count) classes (\(shown)): their samples are compared with "
                + "images of the others")
    }

    private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
}

extension ImageSet {
    /// Images of each class.
    var classCounts: [Int] {
        var counts = [Int](repeating: 0, count: classNames.count)
        for label in labels { counts[Int(label)] += 1 }
        return counts
    }
}

extension StageWork {
    /// Says warnings in the log and on the console; returns `summary` with them in it.
    func summary(_ summary: [String: JSONValue], warnings: [String], _ context: ExperimentContext) throws -> JSONValue {
        guard !warnings.isEmpty else { return .object(summary) }
        for warning in warnings {
            try log("warning: \(warning)")
            context.progress.note("warning: \(warning)")
        }
        return .object(summary.merging(["warnings": .array(warnings.map { .string($0) })]) { $1 })
    }
}
