import TensorCore

/// An op and calls of it whose gradients are checked.
struct GradientRow: Sendable, CustomStringConvertible {
    /// Name and argument labels, as in Swift's documentation; operators with the names of their operands.
    let op: String
    let cases: @Sendable () -> [GradientCase]

    init(_ op: String, _ cases: @escaping @Sendable () -> [GradientCase]) {
        self.op = op
        self.cases = cases
    }

    var description: String { op }
}

/// A row for every differentiable op. Sizes: 1, odd ones, and such as are split into several chunks
/// (65536 multiplications in a product, 16384 elements, 64 rows of a sum, 128 queries of attention).
enum GradientTable {
    static let rows = elementwise + products + norms + softmaxes + quantizers + attentions + tokens + losses + images

    /// Shapes of an elementwise op.
    private static let shapes: [Shape] = [[1], [7], [3, 33], [2, 3, 5], [5, 20_011]]

    private static let elementwise = [
        GradientRow("+(a:b:)") {
            shapes.map { GradientCase(random($0, "a"), random($0, "b")) { $0[0] + $0[1] } }
        },
        GradientRow("-(a:b:)") {
            shapes.map { GradientCase(random($0, "a"), random($0, "b")) { $0[0] - $0[1] } }
        },
        GradientRow("*(a:b:)") {
            shapes.map { GradientCase(random($0, "a"), random($0, "b")) { $0[0] * $0[1] } }
        },
        GradientRow("*(scale:x:)") {
            shapes.map { GradientCase(random($0)) { -1.75 * $0[0] } }
        },
        GradientRow("gelu(_:)") {
            shapes.map { GradientCase(random($0)) { gelu($0[0]) } }
        },
        GradientRow("exactGELU(_:)") {
            shapes.map { GradientCase(random($0)) { exactGELU($0[0]) } }
        },
        GradientRow("relu(_:)") {
            shapes.dropFirst().map { GradientCase(random($0, atLeast: 0.25)) { relu($0[0]) } }
        },
        GradientRow("leakyReLU(_:slope:)") {
            shapes.dropFirst().map { GradientCase(random($0, atLeast: 0.25)) { leakyReLU($0[0], slope: 0.2) } }
        },
        GradientRow("leakyReLUTangent(_:along:slope:)") {
            shapes.map { shape in
                let x = random(shape, "x", atLeast: 0.25)
                return GradientCase(random(shape, "u")) { leakyReLUTangent(x, along: $0[0], slope: 0.2) }
            }
        },
        GradientRow("softplus(_:)") {
            shapes.map { GradientCase(random($0)) { softplus($0[0]) } }
        },
        GradientRow("dropout(_:p:key:)") {
            shapes.dropFirst().flatMap { shape in
                [Float(0), 0.3].map { p in GradientCase(random(shape)) { dropout($0[0], p: p, key: 77) } }
            }
        },
        GradientRow("geglu(_:)") {
            [[1, 2], [2, 3, 14], [5, 66], [300, 262]].map { GradientCase(random($0)) { geglu($0[0]) } }
        },
        GradientRow("gatedResidual(_:gate:branch:)") {
            rowVectors.map { x, gate in
                GradientCase(random(x, "x"), random(gate, "gate"), random(x, "branch")) {
                    gatedResidual($0[0], gate: $0[1], branch: $0[2])
                }
            }
        },
        GradientRow("straightThrough(_:value:)") {
            shapes.map { shape in
                var example = GradientCase(random(shape)) { straightThrough($0[0], value: random(shape, "value")) }
                example.surrogate = { $0[0] }
                return example
            }
        },
    ]

    /// x [B, L, D] and a vector per batch entry, or one for all.
    private static let rowVectors: [(Shape, Shape)] = [
        ([1, 3, 1], [1, 1]), ([2, 5, 7], [1, 7]), ([3, 4, 33], [3, 33]), ([1, 2, 7], [7]), ([4, 71, 130], [4, 130]),
        ([4, 71, 130], [1, 130]),
    ]

    private static let products = [
        GradientRow("linear(_:weight:bias:)") {
            let sizes: [(Shape, Int)] = [
                ([3, 1], 1), ([2, 5, 7], 33), ([1, 33], 7), ([130, 33], 1), ([301, 41], 53), ([20, 67], 201),
            ]
            return sizes.flatMap { shape, output in
                let (x, w) = (random(shape, "x"), random([output, shape[shape.count - 1]], "w"))
                return [
                    GradientCase(x, w) { linear($0[0], weight: $0[1]) },
                    GradientCase(x, w, random([output], "b")) { linear($0[0], weight: $0[1], bias: $0[2]) },
                ]
            }
        }
    ]

    private static let norms = [
        GradientRow("rmsNorm(_:weight:)") {
            rowVectors.map { x, w in
                var example = GradientCase(random(x, "x", atLeast: 0.5), random(w, "w")) {
                    rmsNorm($0[0], weight: $0[1])
                }
                if x.last == 1 { example.flat = [0] }
                return example
            }
        },
        GradientRow("layerNorm(_:weight:bias:epsilon:)") {
            [[1, 1], [3, 2], [2, 5, 7], [4, 33], [600, 41]].map { shape in
                let width = shape[shape.count - 1]
                var example = GradientCase(random(shape, "x"), random([width], "w"), random([width], "b")) {
                    layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 0.1)
                }
                // A single channel is its own mean.
                if width == 1 { example.flat = [0, 1] }
                return example
            }
        },
        GradientRow("l2Normalize(_:)") {
            [[1, 1], [3, 2], [2, 5, 7], [4, 33], [600, 41]].map { shape in
                var example = GradientCase(random(shape, atLeast: 0.5)) { l2Normalize($0[0]) }
                if shape.last == 1 { example.flat = [0] }
                return example
            }
        },
        GradientRow("rotaryNorm(_:weight:table:heads:)") {
            // Batch, tokens, heads, widths of the axes, columns of x beyond the heads.
            let sizes: [(Int, Int, Int, [Int], Int)] = [
                (1, 1, 1, [2, 0, 0], 0), (2, 5, 3, [2, 2, 2], 0), (2, 5, 3, [4, 0, 2], 23), (3, 7, 1, [0, 8, 6], 14),
                (2, 71, 3, [12, 12, 10], 102),
            ]
            return sizes.map { batch, tokens, heads, axes, beyond in
                let width = axes.reduce(0, +)
                let positions = (0..<tokens).map { token -> RotaryTable.Position in
                    token % 3 == 2 ? .query(token) : .grid(row: token / 3, column: token % 3 + 1)
                }
                let table = RotaryTable(positions, axisWidths: axes)
                return GradientCase(
                    random([batch, tokens, heads * width + beyond], "x", atLeast: 0.5), random([width], "w")
                ) { rotaryNorm($0[0], weight: $0[1], table: table, heads: heads) }
            }
        },
    ]

    /// Rows of logits.
    private static let logits: [Shape] = [[1, 7], [2, 3, 33], [5, 2], [41, 1003]]

    private static let softmaxes = [
        GradientRow("softmax(_:scale:)") {
            logits.flatMap { shape in
                [Float(1), 10].map { scale in
                    var example = GradientCase(random(shape)) { softmax($0[0], scale: scale) }
                    example.step /= scale > 1 ? 8 : 1
                    return example
                }
            } + [flat(GradientCase(random([3, 1])) { softmax($0[0]) })]
        },
        GradientRow("crossEntropy(_:targets:)") {
            logits.map { shape in
                let targets = randomIds(Array(shape.dropLast()), below: shape[shape.count - 1])
                return GradientCase(random(shape)) { crossEntropy($0[0], targets: targets) }
            } + [flat(GradientCase(random([3, 1])) { crossEntropy($0[0], targets: randomIds([3], below: 1)) })]
        },
    ]

    private static let quantizers = [
        GradientRow("scaledTanh(_:scale:shift:offset:)") {
            [[1], [2, 5, 7], [31, 4], [300, 70]].map { (shape: Shape) in
                let width = [shape[shape.count - 1]]
                let (scale, shift) = (random(width, "scale", atLeast: 0.5).values, random(width, "shift").values)
                return GradientCase(random(shape)) {
                    scaledTanh($0[0], scale: scale, shift: shift, offset: random(width, "offset").values)
                }
            }
        },
        GradientRow("assignmentEntropyLoss(_:scale:)") {
            [[3, 7], [2, 3, 33], [5, 2], [90, 203]].flatMap { (shape: Shape) in
                [Float(1), 4].map { scale in
                    var example = GradientCase(random(shape)) { assignmentEntropyLoss($0[0], scale: scale) }
                    example.step /= scale > 1 ? 4 : 1
                    return example
                }
            }
        },
    ]

    private static func flat(_ example: GradientCase) -> GradientCase {
        var example = example
        example.flat = [0]
        return example
    }
}
