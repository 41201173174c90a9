import Evaluation
import Foundation
import Metrics

/// What completions of the same tokens have in common, and what they share with the image the tokens are from.
struct CompletionMeasures {
    /// By the name in the stage's file, a value per group.
    let perGroup: [(name: String, measure: Measure, groups: [Double])]
    /// Means over pairs of different groups, and measures of all completions together.
    private let overall: [(measure: Measure, value: Double?)]
    private let varianceWithin: Double?
    private let varianceInterval: Interval?

    init(
        _ pixels: [UInt8], _ features: ExtractedFeatures, _ sources: CompletionSources, _ sourceFeatures: FeatureMatrix,
        draws: Int, real: Gaussian
    ) throws {
        let groups = sources.images.count
        func means(_ value: (Int, Int) -> Double) -> [Double] {
            (0..<groups).map { g in (0..<draws).reduce(0.0) { $0 + value(g, g * draws + $1) } / Double(draws) }
        }
        let likeness = GroupSimilarity(centred: features.pooled, groupSize: draws)
        let layout = GroupSimilarity(
            correlating: Thumbnails.matrix(
                pixels, height: sources.height, width: sources.width, channels: sources.channels), groupSize: draws)
        let size = sources.pixels.count / groups
        perGroup = [
            ("agreement", .completionAgreement, means { g, row in features.predictions[row] == sources.labels[g] ? 1 : 0 }),
            ("likeness", .completionLikeness, likeness.perGroup),
            ("layout", .completionLayout, layout.perGroup),
            (
                "source_likeness", .completionSourceLikeness,
                Self.sourceLikeness(features.pooled, sourceFeatures, real.mean, draws: draws)
            ),
            (
                "pixel_distance", .completionPixelDistance,
                means { g, row in
                    Double((0..<size).reduce(0) { $0 + abs(Int(pixels[row * size + $1]) - Int(sources.pixels[g * size + $1])) })
                        / Double(size)
                }
            ),
        ]
        varianceWithin = GroupSimilarity.varianceWithin(features.pooled, groupSize: draws)
        varianceInterval = Self.varianceInterval(features.pooled, draws: draws)
        overall = [
            (.completionLikenessAcross, likeness.across), (.completionLayoutAcross, layout.across),
            (.completionGFID, try? frechetDistance(FeatureStatistics(of: features.pooled).gaussian(), real)),
        ]
    }

    /// Notes means with 95 % bootstrap intervals over groups, and the overall measures.
    ///
    /// - Parameter fields: the tokens given, and whether the class was told.
    func note(in values: inout [String: Double?], _ fields: [MetricField: String], features: String, seed: Int) {
        func all(_ measure: Measure) -> [MetricField: String] {
            measure.varies(in: .features) ? fields.merging([.features: features]) { $1 } : fields
        }
        for (_, measure, groups) in perGroup {
            values.note(
                measure, all(measure), groups.reduce(0, +) / Double(groups.count),
                in: bootstrapInterval(of: groups, seed: UInt64(seed)))
        }
        values.note(.completionVarianceWithin, all(.completionVarianceWithin), varianceWithin, in: varianceInterval)
        for (measure, value) in overall { values.note(measure, all(measure), value) }
    }

    /// 95 % bootstrap interval over groups of the share of variance within them.
    private static func varianceInterval(_ features: FeatureMatrix, draws: Int) -> Interval? {
        bootstrapInterval(of: (0..<features.rows / draws).map(Double.init), resamples: 200) { groups in
            let rows = groups.flatMap { Int($0) * draws..<(Int($0) + 1) * draws }
            return GroupSimilarity.varianceWithin(features.selecting(rows), groupSize: draws)
        }
    }

    /// Mean cosine of each group's completions with their source, the mean of held-out images taken from both.
    private static func sourceLikeness(
        _ completions: FeatureMatrix, _ sources: FeatureMatrix, _ mean: [Double], draws: Int
    ) -> [Double] {
        func centred(_ matrix: FeatureMatrix, _ row: Int) -> [Double] {
            mean.indices.map { Double(matrix.values[row * matrix.columns + $0]) - mean[$0] }
        }
        func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        return (0..<sources.rows).map { g in
            let source = centred(sources, g)
            let cosines = (g * draws..<(g + 1) * draws).map { row -> Double in
                let own = centred(completions, row)
                return dot(own, source) / max(1e-12, (dot(own, own) * dot(source, source)).squareRoot())
            }
            return cosines.reduce(0, +) / Double(draws)
        }
    }
}
