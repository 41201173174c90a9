import Evaluation
import Foundation

/// What completions of the same tokens have in common, and what they share with the image the tokens are from.
struct CompletionMeasures {
    /// By name, a value per group.
    let perGroup: [(name: String, groups: [Double])]
    /// Means over pairs of different groups, and measures of all completions together.
    let overall: [(name: String, value: Double?)]

    /// Measures that no feature space enters.
    static let ofPixels = ["layout", "pixel_distance"]

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
            ("agreement", means { g, row in features.predictions[row] == sources.labels[g] ? 1 : 0 }),
            ("likeness", likeness.perGroup),
            ("layout", layout.perGroup),
            ("source_likeness", Self.sourceLikeness(features.pooled, sourceFeatures, real.mean, draws: draws)),
            (
                "pixel_distance",
                means { g, row in
                    Double((0..<size).reduce(0) { $0 + abs(Int(pixels[row * size + $1]) - Int(sources.pixels[g * size + $1])) })
                        / Double(size)
                }
            ),
        ]
        let varianceWithin = Self.varianceInterval(features.pooled, draws: draws)
        overall = [
            ("likeness_across", likeness.across), ("layout_across", layout.across),
            ("variance_within", GroupSimilarity.varianceWithin(features.pooled, groupSize: draws)),
            ("variance_within_low", varianceWithin?.low), ("variance_within_high", varianceWithin?.high),
            ("gfid", try? frechetDistance(FeatureStatistics(of: features.pooled).gaussian(), real)),
        ]
    }

    /// Means, 95 % bootstrap intervals over groups (`_low`, `_high`), and the overall measures.
    func values(seed: Int) -> [(name: String, value: Double?)] {
        perGroup.flatMap { name, groups -> [(name: String, value: Double?)] in
            let interval = bootstrapInterval(of: groups, seed: UInt64(seed))
            return [
                (name, groups.reduce(0, +) / Double(groups.count)), ("\(name)_low", interval?.low),
                ("\(name)_high", interval?.high),
            ]
        } + overall
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
