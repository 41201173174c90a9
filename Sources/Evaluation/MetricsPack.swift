import Files

/// The measures against a pack of reference values (`metrics.safetensors`): feature sets, class probabilities and the
/// scores an independent implementation gave them.
public enum MetricsPack {
    public struct Check: Sendable, Equatable {
        public let key: String
        /// Relative, or absolute where the expected value is zero up to rounding. NaN if the measure failed.
        public let error: Double
        public let tolerance: Double
        public var passed: Bool { error <= tolerance }
    }

    /// One tensor of the pack: its shape and its values, row-major.
    public typealias Lookup = (_ key: String) throws -> (shape: [Int], values: [Double])

    /// Computes every score of the pack (all but the learning-rate schedule) from the pack's inputs.
    /// Throws what `lookup` throws, and `InputError` for a tensor of the wrong shape.
    public static func verify(tolerance: Double = 1e-6, _ lookup: Lookup) throws -> [Check] {
        let reference = try matrix("reference", lookup)
        let samples = try matrix("samples", lookup)
        let few = try matrix("few_samples", lookup)
        let probabilities = try matrix("probabilities", lookup)
        let referenceStatistics = try FeatureStatistics(of: reference)
        let precisionRecall = try PrecisionRecall(reference: reference, samples: samples)

        let scores: [(String, Double)] = [
            ("fid", try frechetDistance(FeatureStatistics(of: samples), referenceStatistics)),
            ("fid_same", try frechetDistance(referenceStatistics, referenceStatistics)),
            ("fid_few", try frechetDistance(FeatureStatistics(of: few), referenceStatistics)),
            ("precision", precisionRecall.precision),
            ("recall", precisionRecall.recall),
            ("inception_score_split_n4", try InceptionScore(probabilities: probabilities, splits: 4).mean),
            ("inception_score_one_split", try InceptionScore(probabilities: probabilities, splits: 1).mean),
        ]
        return try scores.map { key, score in
            let tensor = try lookup(key)
            guard tensor.values.count == 1 else {
                throw InputError("\(key) has shape \(tensor.shape); expected one value")
            }
            let expected = tensor.values[0]
            let scale = key == "fid_same" || expected == 0 ? 1 : abs(expected)
            return Check(key: key, error: abs(score - expected) / scale, tolerance: tolerance)
        }
    }

    private static func matrix(_ key: String, _ lookup: Lookup) throws -> DoubleFeatureMatrix {
        let tensor = try lookup(key)
        guard tensor.shape.count == 2, tensor.shape[0] * tensor.shape[1] == tensor.values.count else {
            throw InputError("\(key) has shape \(tensor.shape) and \(tensor.values.count) values; expected [rows, columns]")
        }
        return DoubleFeatureMatrix(rows: tensor.shape[0], columns: tensor.shape[1], values: tensor.values)
    }
}
