/// Traced forms of the ops without a gradient.
extension Program {
    func codes(of points: Tensor, levels: [Int], _ kind: ProductQuantization) -> TokenTensor {
        let value = node(points)
        func columns(_ numbers: [Int]) -> Node { constant(numbers.map(Float.init), [levels.count]).alongColumns(of: value) }
        let level: Node
        switch kind {
        case .signs: level = value.compare(.greater, 0).converted(to: .i32)
        case .grid:
            let units = columns(levels.map { $0 / 2 })
            let nearest = (value * units).apply(.roundNearestEven) + units
            level = nearest.maximum(0).minimum(columns(levels.map { $0 - 1 })).converted(to: .i32)
        }
        let places = levels.indices.map { Int32(levels[..<$0].reduce(1, *)) }
        let factors = node(function.constant(places, [levels.count])).alongColumns(of: level)
        return TokenTensor((level * factors).rowSums)
    }

    func cellMeans(_ x: Tensor, rows: Int, columns: Int, channels: Int, cell: (Int, Int, Int) -> Range<Int>) -> Tensor {
        func shares(_ cells: Int, _ length: Int) -> Node {
            var shares = [Float](repeating: 0, count: cells * length)
            for i in 0..<cells {
                let range = cell(i, cells, length)
                for place in range { shares[i * length + place] = 1 / Float(range.count) }
            }
            return constant(shares, [cells, length])
        }
        let means = node(x).sliced(3, 0..<channels).dot(shares(rows, x.shape[1]), ([1], [1])).dot(shares(columns, x.shape[2]), ([1], [1]))
        return Tensor(means.transposed([0, 2, 3, 1]).reshaped([x.shape[0], rows * columns * channels]))
    }

    func meanAttentionProbabilities(q: Tensor, k: Tensor, heads: Int, causal: Bool) -> Tensor {
        let scores = HeadAttention(
            q: node(q), k: node(k), v: node(q), heads: heads, causal: causal, dropout: nil, block: HeadAttention.float32Block)
        return Tensor(scores.probabilities.sum([0]) / Double(q.shape[0]))
    }
}
