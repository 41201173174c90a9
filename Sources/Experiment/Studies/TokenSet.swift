import Models
import Sweep
import TensorCore

/// Tokens that a probe reads together.
struct TokenSet {
    let name: String
    /// Places within [prologue ; visual]; tokens of one cell are averaged.
    let cells: [[Int]]

    var isPooled: Bool { cells.contains { $0.count > 1 } }

    private init(_ name: String, _ positions: [Int]) {
        self.name = name
        cells = positions.map { [$0] }
    }

    private init(_ name: String, cells: [[Int]]) {
        self.name = name
        self.cells = cells
    }

    /// The sets of a kind; none where the tokenizer has no such tokens.
    ///
    /// - Parameter count: K, tokens in a set.
    static func sets(_ kind: ProbedTokens, _ layout: SequenceLayout, count: Int, seed: Int) -> [TokenSet] {
        let k = min(count, layout.visualTokens)
        let visual = Array(layout.prologueTokens..<layout.prologueTokens + layout.visualTokens)
        switch kind {
        case .prologue: return layout.hasPrologue ? [TokenSet("prologue", Array(0..<layout.prologueTokens))] : []
        case .first: return [TokenSet("first", Array(visual.prefix(k)))]
        case .random:
            var stream = RandomStream(seed: seed, "probe/random-tokens")
            return [TokenSet("random", stream.permutation(visual.count).prefix(k).sorted().map { visual[$0] })]
        case .pooled: return [TokenSet("pooled", cells: coarseGrid(visual, cells: k))]
        case .all: return [TokenSet("all", visual)]
        case .prefixes:
            let tokens = Array(0..<(layout.hasPrologue ? layout.prologueTokens : k))
            let lengths = sequence(first: 1) { $0 * 2 }.prefix { $0 < tokens.count } + [tokens.count]
            return lengths.map { TokenSet("prefix-\($0)", Array(tokens.prefix($0))) }
        }
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
