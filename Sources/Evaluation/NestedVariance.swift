import Files
import Foundation

/// How much of a score's variance comes from which seed: a nested design of random effects, samplers within priors within
/// tokenizers, with feature networks that all of them are measured in. Components are those whose expected mean squares are the
/// observed ones; the designs need not be balanced.
public struct NestedVariance: Sendable {
    /// One run: the score of its samples in each feature network.
    public struct Observation: Sendable {
        /// What is no source of chance, such as the arm: components are those within it.
        public let group: String
        /// From the outermost level on, such as the seeds of tokenizer, prior and sampler.
        public let path: [String]
        public let values: [Double]

        public init(group: String, path: [String], values: [Double]) { (self.group, self.path, self.values) = (group, path, values) }
    }

    public struct Component: Sendable {
        /// The level; several, joined by " + ", where the design does not vary them apart.
        public let name: String
        public let degreesOfFreedom: Int
        /// 0 where the estimate came out below.
        public let variance: Double
        /// Of the sum of all.
        public let share: Double
        /// Of 95 %.
        public let interval: Interval
    }

    public let components: [Component]
    /// Levels of which there is only one in every group: they are no part of the variance seen.
    public let fixed: [String]

    /// - Parameters:
    ///   - levels: the names of a path's parts.
    ///   - crossed: the name of what the values of an observation differ by.
    ///   - draws: of each interval, by generalised confidence (Weerahandi 1993): each sum of squares is divided by draws from
    ///     its χ² distribution, and the shares follow from those.
    /// - Returns: nil where nothing varies.
    public init?(_ observations: [Observation], levels: [String], crossed: String, draws: Int = 10_000, seed: UInt64 = 0) {
        guard let width = observations.first?.values.count, width > 0 else { return nil }
        precondition(
            observations.allSatisfy { $0.values.count == width && $0.path.count == levels.count && $0.values.allSatisfy(\.isFinite) },
            "observations of \(width) finite values at \(levels.count) levels")
        let design = Design(observations, levels: levels)
        var terms = design.terms(of: observations.map { $0.values.reduce(0, +) / Double(width) }, width: width)
        if width > 1 {
            terms.append(contentsOf: Self.crossedTerms(observations, named: crossed))
        }
        terms.removeAll { $0.degreesOfFreedom == 0 }
        guard !terms.isEmpty, terms.contains(where: { $0.squares > 0 }) else { return nil }
        fixed = design.fixed

        let found = Self.shares(terms, meanSquares: terms.map { $0.squares / Double($0.degreesOfFreedom) })
        var generator = SplitMix64(seed: seed)
        var drawn = terms.map { _ in [Double]() }
        for _ in 0..<draws {
            let squares = terms.map { $0.squares / generator.chiSquared($0.degreesOfFreedom) }
            for (place, value) in Self.shares(terms, meanSquares: squares).enumerated() { drawn[place].append(value.share) }
        }
        components = zip(terms, zip(found, drawn)).map { term, values in
            let sorted = values.1.sorted()
            func quantile(_ share: Double) -> Double { sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] }
            return Component(
                name: term.name, degreesOfFreedom: term.degreesOfFreedom, variance: values.0.variance, share: values.0.share,
                interval: Interval(low: quantile(0.025), high: quantile(0.975)))
        }
    }

    /// A sum of squares, and what it is expected to be of each component: Σ coefficient · variance, by name.
    fileprivate struct Term {
        let name: String
        let squares: Double
        let degreesOfFreedom: Int
        let coefficients: [String: Double]
    }

    /// Components with these mean squares, each from those below it, the last term having no other.
    private static func shares(_ terms: [Term], meanSquares: [Double]) -> [(variance: Double, share: Double)] {
        var variances: [String: Double] = [:]
        for (term, mean) in zip(terms, meanSquares).reversed() {
            let freedom = Double(term.degreesOfFreedom)
            let others = term.coefficients.reduce(0) { $1.key == term.name ? $0 : $0 + $1.value * (variances[$1.key] ?? 0) }
            variances[term.name] = (mean * freedom - others) / (term.coefficients[term.name] ?? 1)
        }
        let kept = terms.map { max(0, variances[$0.name] ?? 0) }
        let sum = kept.reduce(0, +)
        return kept.map { ($0, sum > 0 ? $0 / sum : 0) }
    }

    static let residual = "rest"

    /// What the networks make of it: their own mean square, and what network and run together leave.
    private static func crossedTerms(_ observations: [Observation], named name: String) -> [Term] {
        let width = observations[0].values.count
        func means(_ some: [Observation]) -> [Double] {
            (0..<width).map { column in some.reduce(0) { $0 + $1.values[column] } / Double(some.count) }
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        let groups = Dictionary(grouping: observations, by: \.group).values
        let left = groups.reduce(0.0) { sum, group in
            let columns = means(group)
            let all = mean(columns)
            return group.reduce(sum) { sum, one in
                let own = mean(one.values)
                return zip(one.values, columns).reduce(sum) { $0 + pow($1.0 - own - $1.1 + all, 2) }
            }
        }
        let columns = means(observations)
        let between = Double(observations.count) * columns.reduce(0) { $0 + pow($1 - mean(columns), 2) }
        let freedom = (observations.count - groups.count) * (width - 1)
        return [
            Term(
                name: name, squares: between, degreesOfFreedom: width - 1,
                coefficients: [name: Double(observations.count * (width - 1)), residual: Double(width - 1)]),
            Term(name: residual, squares: left, degreesOfFreedom: freedom, coefficients: [residual: Double(freedom)]),
        ]
    }
}

/// Which observations share a place at each level.
private struct Design {
    /// Of each level that is varied, its name and the group of each observation, the outermost, what is no chance, first.
    private let partitions: [(name: String, places: [Int])]
    let fixed: [String]

    init(_ observations: [NestedVariance.Observation], levels: [String]) {
        func numbered(_ keys: [[String]]) -> [Int] {
            var known: [[String]: Int] = [:]
            return keys.map { key in
                if known[key] == nil { known[key] = known.count }
                return known[key] ?? 0
            }
        }
        var partitions = [(name: "", places: numbered(observations.map { [$0.group] }))]
        var fixed: [String] = []
        for (depth, level) in levels.enumerated() {
            let places = numbered(observations.map { [$0.group] + $0.path[...depth] })
            guard places != partitions[partitions.count - 1].places else {
                // As few as there are of the level above: the two are not told apart.
                if partitions.count == 1 {
                    fixed.append(level)
                } else {
                    partitions[partitions.count - 1].name += " + \(level)"
                }
                continue
            }
            partitions.append((level, places))
        }
        (self.partitions, self.fixed) = (partitions, fixed)
    }

    /// Sums of squares of groups around those that they lie in, of means over `width` values.
    func terms(of means: [Double], width: Int) -> [NestedVariance.Term] {
        zip(partitions, partitions.dropFirst()).enumerated().map { place, pair in
            let (outer, inner) = pair
            let (above, below) = (groupMeans(means, outer.places), groupMeans(means, inner.places))
            let squares = means.indices.reduce(0.0) { $0 + pow(below[inner.places[$1]] - above[outer.places[$1]], 2) }
            let freedom = below.count - above.count
            var coefficients: [String: Double] = width > 1 ? [NestedVariance.residual: Double(freedom)] : [:]
            for deeper in partitions[(place + 1)...] {
                coefficients[deeper.name] =
                    Double(width)
                    * (concentration(of: deeper.places, in: inner.places) - concentration(of: deeper.places, in: outer.places))
            }
            return NestedVariance.Term(
                name: inner.name, squares: Double(width) * squares, degreesOfFreedom: freedom, coefficients: coefficients)
        }
    }

    private func groupMeans(_ values: [Double], _ places: [Int]) -> [Double] {
        var (sums, counts) = (
            [Double](repeating: 0, count: (places.max() ?? 0) + 1), [Double](repeating: 0, count: (places.max() ?? 0) + 1)
        )
        for (value, place) in zip(values, places) {
            sums[place] += value
            counts[place] += 1
        }
        return zip(sums, counts).map { $0 / $1 }
    }

    /// Σ over groups a of Σ over groups b within a of n_b² / n_a: what a component of b adds to the squares of the means of a.
    private func concentration(of inner: [Int], in outer: [Int]) -> Double {
        var sizes: [Int: Double] = [:]
        var cells: [[Int]: Double] = [:]
        for (a, b) in zip(outer, inner) {
            sizes[a, default: 0] += 1
            cells[[a, b], default: 0] += 1
        }
        return cells.sorted { $0.key.lexicographicallyPrecedes($1.key) }.reduce(0) { $0 + $1.value * $1.value / (sizes[$1.key[0]] ?? 1) }
    }
}

extension SplitMix64 {
    /// A draw from the χ² distribution, as a sum of squared normal ones (Box–Muller gives two at a time).
    fileprivate mutating func chiSquared(_ freedom: Int) -> Double {
        func uniform() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }
        var sum = 0.0
        for _ in 0..<freedom / 2 { sum -= 2 * log(uniform()) }
        if !freedom.isMultiple(of: 2) {
            let normal = (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform())
            sum += normal * normal
        }
        return sum
    }
}
