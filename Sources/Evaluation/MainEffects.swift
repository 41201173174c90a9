import Files

/// Which factors explain how a score varies: the analysis of variance of a model of main effects, in which each level of each
/// factor adds its own amount.
///
/// A factor's share is the sum of squares that the model loses without it, of the total (type II). In a full grid the shares and
/// what is left, interactions and chance, add up to 1; where factors vary together, what only both explain is in neither share.
/// Its p-value is the share of permutations in which the factor explains at least as much against what is left: the residuals of
/// the model without it are put in another order (Freedman and Lane 1983).
public struct MainEffects: Sendable, Equatable {
    public struct Factor: Sendable {
        public let name: String
        /// One an observation.
        public let levels: [String]

        public init(name: String, levels: [String]) { (self.name, self.levels) = (name, levels) }
    }

    public struct Effect: Sendable, Equatable {
        public let name: String
        /// What its levels add to the rank of the model; 0 where the other factors tell them already.
        public let degreesOfFreedom: Int
        /// Of the total sum of squares.
        public let share: Double
        /// Nil without degrees of freedom of its own or of the rest.
        public let pValue: Double?
    }

    /// In the order of the factors.
    public let effects: [Effect]
    /// Of the total sum of squares, what the whole model leaves.
    public let rest: Double
    public let restDegreesOfFreedom: Int

    /// - Parameters:
    ///   - values: finite.
    ///   - permutations: of each factor's test.
    /// - Returns: nil where the values do not vary.
    public init?(_ values: [Double], by factors: [Factor], permutations: Int = 999, seed: UInt64 = 0) {
        precondition(
            values.allSatisfy(\.isFinite) && factors.allSatisfy { $0.levels.count == values.count },
            "\(values.count) values, levels of \(factors.map(\.levels.count))")
        guard !values.isEmpty else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        let centred = values.map { $0 - mean }
        let total = Self.squares(centred)
        guard total > 1e-24 * Double(values.count) * max(1, mean * mean) else { return nil }
        let columns = factors.map { Self.indicators($0.levels) }
        let whole = Self.basis(of: columns.joined(), beyond: [])
        let left = Self.squares(Self.residuals(centred, whole))
        let free = values.count - 1 - whole.count
        let parts = factors.indices.map { place in
            let others = Self.basis(of: columns.enumerated().filter { $0.offset != place }.map(\.element).joined(), beyond: [])
            return Part(own: Self.basis(of: columns[place], beyond: others), others: others, centred)
        }
        let extremes = free > 0 ? Self.extremes(parts, permutations: permutations, seed: seed) : []
        effects = zip(factors, parts).enumerated().map { place, pair in
            let (factor, part) = pair
            let isTested = !part.own.isEmpty && free > 0
            return Effect(
                name: factor.name, degreesOfFreedom: part.own.count, share: Self.squaresAlong(part.own, centred) / total,
                pValue: isTested ? Double(1 + extremes[place]) / Double(permutations + 1) : nil)
        }
        (rest, restDegreesOfFreedom) = (left / total, free)
    }

    /// A factor's test: the directions of its own, those of the others, and what these leave.
    private struct Part {
        let own, others: [[Double]]
        let residuals: [Double]
        private let size: Double

        init(own: [[Double]], others: [[Double]], _ values: [Double]) {
            (self.own, self.others, residuals) = (own, others, MainEffects.residuals(values, others))
            size = MainEffects.squares(residuals)
        }

        /// What the factor explains, against what the whole model leaves; grows with F.
        func explained(_ along: some Collection<Double>) -> Double {
            var (mine, theirs) = (0.0, 0.0)
            for (place, value) in along.enumerated() {
                if place < own.count { mine += value * value } else { theirs += value * value }
            }
            return mine / max(size - theirs, 1e-300)
        }
    }

    /// In how many of the permutations, the same for all factors, each explains at least as much as in the order that was observed.
    private static func extremes(_ parts: [Part], permutations: Int, seed: UInt64) -> [Int] {
        let count = parts.first?.residuals.count ?? 0
        let directions = parts.map { Array(($0.own + $0.others).joined()) }
        let thresholds = parts.map { part in part.explained((part.own + part.others).map { dot($0, part.residuals) }) - 1e-12 }
        var extremes = [Int](repeating: 0, count: parts.count)
        var generator = SplitMix64(seed: seed)
        let group = 64
        for lower in stride(from: 0, to: permutations, by: group) {
            let orders = (lower..<min(permutations, lower + group)).flatMap { _ in generator.permutation(of: count) }
            let rows = orders.count / max(1, count)
            for (place, part) in parts.enumerated() where !part.own.isEmpty {
                let width = part.own.count + part.others.count
                let shuffled = orders.map { part.residuals[$0] }
                var along = [Double](repeating: 0, count: rows * width)
                multiply(into: &along, shuffled, transposed: directions[place], m: rows, n: width, k: count)
                for row in 0..<rows where part.explained(along[row * width..<(row + 1) * width]) >= thresholds[place] {
                    extremes[place] += 1
                }
            }
        }
        return extremes
    }

    // MARK: Projections

    /// A centred column for each level but one.
    private static func indicators(_ levels: [String]) -> [[Double]] {
        let names = Set(levels).sorted()
        return names.dropFirst().map { name in
            let share = Double(levels.count { $0 == name }) / Double(levels.count)
            return levels.map { ($0 == name ? 1 : 0) - share }
        }
    }

    /// Orthonormal directions that columns add to those of `known` (Gram and Schmidt, twice, so that rounding does not matter).
    private static func basis(of columns: some Sequence<[Double]>, beyond known: [[Double]]) -> [[Double]] {
        var found: [[Double]] = []
        for column in columns {
            let size = squares(column)
            let left = residuals(residuals(column, known + found), known + found)
            let own = squares(left)
            guard own > 1e-18 * max(size, 1e-300) else { continue }
            let scale = 1 / own.squareRoot()
            found.append(left.map { $0 * scale })
        }
        return found
    }

    private static func residuals(_ values: [Double], _ basis: [[Double]]) -> [Double] {
        var left = values
        for direction in basis {
            let along = dot(direction, left)
            for i in left.indices { left[i] -= along * direction[i] }
        }
        return left
    }

    private static func squaresAlong(_ basis: [[Double]], _ values: [Double]) -> Double {
        basis.reduce(0) { sum, direction in
            let along = dot(direction, values)
            return sum + along * along
        }
    }

    private static func squares(_ values: [Double]) -> Double { dot(values, values) }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for i in a.indices { sum += a[i] * b[i] }
        return sum
    }
}
