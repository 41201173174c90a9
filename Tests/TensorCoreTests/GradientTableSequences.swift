import TensorCore

/// The rows of ops on token sequences and images, and of losses.
extension GradientTable {
    /// One attention: sizes, and the columns of the values' tensor before and after the values themselves.
    private struct Attention {
        let batch, heads, queries, keys, headWidth: Int
        let causal: Bool
        var before = 0
        var after = 0
        var dropout: Float = 0
    }

    static let attentions = [
        GradientRow("attention(q:k:values:valueOffset:heads:causal:dropout:)") {
            [
                Attention(batch: 1, heads: 1, queries: 2, keys: 2, headWidth: 1, causal: false),
                Attention(batch: 2, heads: 3, queries: 5, keys: 5, headWidth: 7, causal: true),
                Attention(batch: 2, heads: 2, queries: 4, keys: 4, headWidth: 5, causal: false, before: 10),
                Attention(batch: 1, heads: 2, queries: 3, keys: 9, headWidth: 4, causal: false, before: 8, after: 3),
                Attention(batch: 2, heads: 1, queries: 7, keys: 2, headWidth: 33, causal: false),
                Attention(batch: 2, heads: 2, queries: 6, keys: 6, headWidth: 3, causal: true, before: 6, dropout: 0.3),
                Attention(batch: 1, heads: 2, queries: 5, keys: 8, headWidth: 3, causal: false, dropout: 0.5),
                Attention(batch: 1, heads: 3, queries: 131, keys: 131, headWidth: 6, causal: true, before: 18),
                Attention(batch: 1, heads: 2, queries: 259, keys: 259, headWidth: 5, causal: true, dropout: 0.2),
                Attention(batch: 2, heads: 1, queries: 140, keys: 33, headWidth: 4, causal: false, dropout: 0.1),
            ].map { job in
                let width = job.heads * job.headWidth
                return GradientCase(
                    random([job.batch, job.queries, width], "q"), random([job.batch, job.keys, width], "k"),
                    random([job.batch, job.keys, job.before + width + job.after], "v")
                ) {
                    attention(
                        q: $0[0], k: $0[1], values: $0[2], valueOffset: job.before, heads: job.heads,
                        causal: job.causal, dropout: job.dropout > 0 ? (job.dropout, 99) : nil)
                }
            }
        },
        GradientRow("selfAttention(q:kv:queryNorm:keyNorm:table:heads:causal:dropout:)") {
            // Batch, tokens, heads, widths of the axes, causal, dropout.
            let sizes: [(Int, Int, Int, [Int], Bool, Float)] = [
                (1, 2, 1, [2, 0, 0], true, 0), (2, 5, 3, [2, 2, 2], true, 0), (2, 7, 2, [4, 0, 2], false, 0.3),
                (1, 131, 2, [2, 2, 0], true, 0),
            ]
            return sizes.map { batch, tokens, heads, axes, causal, p in
                let width = axes.reduce(0, +)
                let table = RotaryTable((0..<tokens).map { .sequence($0) }, axisWidths: axes)
                return GradientCase(
                    random([batch, tokens, heads * width], "q", atLeast: 0.5),
                    random([batch, tokens, 2 * heads * width], "kv", atLeast: 0.5), random([width], "qw"),
                    random([width], "kw")
                ) {
                    selfAttention(
                        q: $0[0], kv: $0[1], queryNorm: $0[2], keyNorm: $0[3], table: table, heads: heads,
                        causal: causal, dropout: p > 0 ? (p, 7) : nil)
                }
            }
        },
    ]

    static let tokens = [
        GradientRow("embedding(_:table:)") {
            let sizes: [(ids: Shape, rows: Int, width: Int)] = [
                ([1], 1, 1), ([2, 5], 7, 3), ([3, 2, 2], 4, 33), ([4, 151], 41, 129),
            ]
            return sizes.map { size in
                GradientCase(random([size.rows, size.width])) {
                    embedding(randomIds(size.ids, below: size.rows), table: $0[0])
                }
            }
        },
        GradientRow("straightThroughEmbedding(_:ids:table:)") {
            let sizes: [(ids: Shape, rows: Int, width: Int)] = [([1], 1, 1), ([2, 5], 7, 3), ([3, 33], 40, 65)]
            return sizes.map { size in
                let (ids, table) = (randomIds(size.ids, below: size.rows), random([size.rows, size.width], "table"))
                var example = GradientCase(random(size.ids + [size.rows], "p"), table) {
                    straightThroughEmbedding($0[0], ids: ids, table: $0[1])
                }
                // P·W with the table held fixed gives P's gradient, the plain lookup the table's.
                example.surrogate = { inputs in
                    let product = linear(inputs[0], weight: transposed(table))
                    return product + embedding(ids, table: inputs[1])
                }
                return example
            }
        },
        GradientRow("concatTokens(_:)") {
            [
                GradientCase(random([2, 3, 5], "a"), random([2, 1, 5], "b")) { concatTokens($0) },
                GradientCase(random([1, 2, 7], "a"), random([3, 4, 7], "b"), random([1, 1, 7], "c")) { concatTokens($0) },
                GradientCase(random([1, 2, 1], "a"), random([1, 3, 1], "b")) { concatTokens($0) },
                GradientCase(random([2, 3, 33])) { concatTokens($0) },
                GradientCase(random([9, 40, 65], "a"), random([1, 17, 65], "b")) { concatTokens($0) },
            ]
        },
        GradientRow("sliceTokens(_:_:)") {
            [
                GradientCase(random([2, 5, 3])) { sliceTokens($0[0], 1..<3) },
                GradientCase(random([1, 4, 1])) { sliceTokens($0[0], 0..<4) },
                GradientCase(random([3, 33, 7])) { sliceTokens($0[0], 32..<33) },
                GradientCase(random([9, 40, 65])) { sliceTokens($0[0], 0..<17) },
            ]
        },
        GradientRow("sliceRows(_:_:)") {
            [
                GradientCase(random([7, 3])) { sliceRows($0[0], 2..<6) },
                GradientCase(random([5, 2, 3])) { sliceRows($0[0], 0..<1) },
                GradientCase(random([33])) { sliceRows($0[0], 30..<33) },
            ]
        },
    ]

    static let losses = [
        GradientRow("weightedSum(_:weights:)") {
            [[1], [2, 7], [3, 33]].map { shape in
                GradientCase(random(shape)) { weightedSum($0[0], weights: random(shape, "inner").values) }
            }
        },
        GradientRow("mean(_:)") {
            [[1], [2, 7], [3, 33], [300, 70]].map { GradientCase(random($0)) { mean($0[0]) } }
        },
        GradientRow("meanAbsoluteDifference(_:_:)") {
            [[1], [2, 7], [3, 33], [300, 70]].map { shape in
                // b differs from a by at least 1/2 everywhere, so that no step crosses a tie.
                let a = random(shape, "a")
                return GradientCase(a, a + random(shape, "difference", atLeast: 0.5)) {
                    meanAbsoluteDifference($0[0], $0[1])
                }
            }
        },
        GradientRow("meanSquaredDifference(_:_:)") {
            [[1], [2, 7], [3, 33], [300, 70]].map {
                GradientCase(random($0, "a"), random($0, "b")) { meanSquaredDifference($0[0], $0[1]) }
            }
        },
    ]
}
