import Models
import Settings
import TensorCore

/// Tokens that a probe reads together.
struct TokenSet {
    let name: String
    /// Places within [prologue ; visual]; tokens of one cell are averaged.
    let cells: [[Int]]

    var isPooled: Bool { cells.contains { $0.count > 1 } }
    /// A point of a curve over the number of tokens.
    let isOnCurve: Bool

    private init(_ name: String, _ positions: [Int], isOnCurve: Bool = false) {
        self.init(name, cells: positions.map { [$0] }, isOnCurve: isOnCurve)
    }

    private init(_ name: String, cells: [[Int]], isOnCurve: Bool = false) {
        (self.name, self.cells, self.isOnCurve) = (name, cells, isOnCurve)
    }

    /// The sets of a kind; none where the tokenizer has no such tokens.
    ///
    /// - Parameters:
    ///   - count: K, tokens in a set.
    ///   - order: visual tokens in random order; random sets are its beginnings.
    static func sets(_ kind: ProbedTokens, _ layout: SequenceLayout, count: Int, order: [Int]) -> [TokenSet] {
        let k = min(count, layout.visualTokens)
        let visual = Array(layout.prologueTokens..<layout.prologueTokens + layout.visualTokens)
        func random(_ k: Int) -> [Int] { order.prefix(k).sorted().map { visual[$0] } }
        switch kind {
        case .prologue: return layout.hasPrologue ? [TokenSet("prologue", Array(0..<layout.prologueTokens))] : []
        case .first where k == 0, .random where k == 0, .pooled where k == 0: return []
        case .first: return [TokenSet("first", Array(visual.prefix(k)))]
        case .random: return [TokenSet("random", random(k))]
        case .pooled: return [TokenSet("pooled", cells: coarseGrid(visual, cells: k))]
        case .all: return [TokenSet("all", visual)]
        case .prefixes:
            let prologue = (0..<layout.prologueTokens).map {
                TokenSet("prologue-\($0 + 1)", Array(0...$0), isOnCurve: true)
            }
            return prologue
                + lengths(upTo: layout.visualTokens).flatMap { k in
                    [
                        TokenSet("first-\(k)", Array(visual.prefix(k)), isOnCurve: true),
                        TokenSet("random-\(k)", random(k), isOnCurve: true),
                        TokenSet("pooled-\(k)", cells: coarseGrid(visual, cells: k), isOnCurve: true),
                    ]
                }
        }
    }

    /// Visual tokens in an order of the tokenizer's seed, so that replicates see different random tokens.
    static func order(_ layout: SequenceLayout, seed: Int, tokenizerSeed: Int) -> [Int] {
        var stream = RandomStream(seed: seed, "probe/random-tokens", step: tokenizerSeed)
        return stream.permutation(layout.visualTokens)
    }

    /// 1, 2, 4 … below `count`, and `count`.
    private static func lengths(upTo count: Int) -> [Int] {
        Array(sequence(first: 1) { $0 * 2 }.prefix { $0 < count }) + [count]
    }

    /// A square raster cut into `cells` rectangles, as square as their number allows.
    private static func coarseGrid(_ tokens: [Int], cells: Int) -> [[Int]] {
        let side = Int(Double(tokens.count).squareRoot().rounded())
        guard side * side == tokens.count else {
            return (0..<cells).map { i in tokens.indices.filter { $0 * cells / tokens.count == i }.map { tokens[$0] } }
        }
        let rows = (1...cells).last { cells % $0 == 0 && $0 * $0 <= cells } ?? 1
        let columns = cells / rows
        var grid = [[Int]](repeating: [], count: cells)
        for (place, token) in tokens.enumerated() {
            let (row, column) = (place / side * rows / side, place % side * columns / side)
            grid[row * columns + column].append(token)
        }
        return grid.filter { !$0.isEmpty }
    }
}
