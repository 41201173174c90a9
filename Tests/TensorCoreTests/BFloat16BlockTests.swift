import TensorCore
import Testing

extension BFloat16Tests {
    /// The fused bfloat16 ops against the float32 ops they stand for, whose gradients are checked elsewhere.
    @Suite struct Blocks {
        struct Block: Sendable, CustomStringConvertible {
            let description: String
            let inputs: @Sendable () -> [Tensor]
            let fused, plain: @Sendable ([Tensor]) -> Tensor
        }

        private static func rotaryTable(_ tokens: Int, _ axes: [Int]) -> RotaryTable {
            RotaryTable((0..<tokens).map { .sequence($0) }, axisWidths: axes)
        }

        private static func scaledInput(_ shape: Shape, _ name: String, by scale: Float) -> Tensor {
            let x = random(shape, name)
            return Tensor(x.values.map { $0 * scale }, shape: shape)
        }

        /// x, scale, gate, fc1, fc1's bias, fc2, fc2's bias.
        private static func feedForward(_ batch: Int, _ tokens: Int, _ width: Int, _ hidden: Int, dropout p: Float = 0) -> Block {
            let dropped: (p: Float, key: MaskKey)? = p > 0 ? (p, 5) : nil
            return Block(
                description: "feed-forward \(batch)×\(tokens)×\(width), hidden \(hidden), dropout \(p)",
                inputs: {
                    [
                        random([batch, tokens, width], "x"), scaledInput([1, width], "scale", by: 0.3), random([1, width], "gate"),
                        scaledInput([2 * hidden, width], "fc1", by: 0.3), random([2 * hidden], "b1"),
                        scaledInput([width, hidden], "fc2", by: 0.3), random([width], "b2"),
                    ]
                },
                fused: {
                    feedForwardBlock(
                        $0[0], scale: $0[1], gate: $0[2], up: BlockWeight($0[3], bias: $0[4]),
                        down: BlockWeight($0[5], bias: $0[6]), dropout: dropped)
                },
                plain: {
                    let hidden = geglu(linear(rmsNorm($0[0], weight: $0[1]), weight: $0[3], bias: $0[4]))
                    let branch = linear(hidden, weight: $0[5], bias: $0[6])
                    return gatedResidual(
                        $0[0], gate: $0[2], branch: dropped.map { dropout(branch, p: $0.p, key: $0.key) } ?? branch)
                })
        }

        /// x, scale, gate, to_q, to_kv, head norms, projection and its bias.
        private static func attention(
            _ batch: Int, _ tokens: Int, heads: Int, _ axes: [Int], causal: Bool, dropout p: Float = 0
        ) -> Block {
            let d = axes.reduce(0, +)
            let width = heads * d
            let table: @Sendable () -> RotaryTable = { rotaryTable(tokens, axes) }
            // Blocks of queries differ between the two, and with them the counters of masks on probabilities.
            let dropped: (p: Float, key: MaskKey)? = p > 0 ? (p, 9) : nil
            return Block(
                description: "attention \(batch)×\(tokens), \(heads) heads of \(d), causal \(causal), dropout \(p)",
                inputs: {
                    [
                        random([batch, tokens, width], "x"), scaledInput([1, width], "scale", by: 0.3), random([1, width], "gate"),
                        scaledInput([width, width], "q", by: 0.3), scaledInput([2 * width, width], "kv", by: 0.3),
                        scaledInput([d], "qn", by: 0.3), scaledInput([d], "kn", by: 0.3),
                        scaledInput([width, width], "proj", by: 0.3), random([width], "bias"),
                    ]
                },
                fused: {
                    attentionBlock(
                        $0[0], scale: $0[1], gate: $0[2], queries: $0[3], keysValues: $0[4], queryNorm: $0[5], keyNorm: $0[6],
                        projection: BlockWeight($0[7], bias: $0[8]), table: table(), heads: heads, causal: causal,
                        dropout: causal ? nil : dropped, outputDropout: dropped)
                },
                plain: {
                    let normed = rmsNorm($0[0], weight: $0[1])
                    let mixed = selfAttention(
                        q: linear(normed, weight: $0[3]), kv: linear(normed, weight: $0[4]), queryNorm: $0[5], keyNorm: $0[6],
                        table: table(), heads: heads, causal: causal, dropout: causal ? nil : dropped)
                    let branch = linear(mixed, weight: $0[7], bias: $0[8])
                    return gatedResidual(
                        $0[0], gate: $0[2], branch: dropped.map { dropout(branch, p: $0.p, key: $0.key) } ?? branch)
                })
        }

        private static func head(_ batch: Int, _ tokens: Int, _ width: Int, _ vocabulary: Int) -> Block {
            let targets = randomIds([batch, tokens], below: vocabulary)
            return Block(
                description: "head \(batch)×\(tokens)×\(width), \(vocabulary) ids",
                inputs: {
                    [
                        random([batch, tokens, width], "x"), scaledInput([1, width], "scale", by: 0.3),
                        scaledInput([vocabulary, width], "head", by: 0.3),
                    ]
                },
                fused: { headCrossEntropy($0[0], scale: $0[1], weight: $0[2], targets: targets) },
                plain: { crossEntropy(linear(rmsNorm($0[0], weight: $0[1]), weight: $0[2]), targets: targets) })
        }

        static let blocks = [
            feedForward(1, 1, 2, 1), feedForward(3, 7, 10, 5), feedForward(2, 101, 48, 83), feedForward(5, 97, 66, 131, dropout: 0.3),
            attention(1, 1, heads: 1, [2, 0, 0], causal: true), attention(2, 5, heads: 3, [2, 2, 2], causal: true),
            attention(3, 7, heads: 2, [4, 0, 2], causal: false), attention(2, 81, heads: 2, [8, 8, 16], causal: true, dropout: 0.2),
            attention(2, 197, heads: 2, [4, 8, 8], causal: true), attention(1, 81, heads: 3, [4, 8, 8], causal: false, dropout: 0.3),
            head(1, 2, 2, 3), head(3, 67, 26, 131), head(2, 5, 48, 1281),
        ]

        /// Bits that rounding to 8 of precision costs, a few times over; a wrong or missing term would be a multiple of it.
        private static let tolerance = 0.02

        @Test(arguments: blocks, InstructionSet.supported)
        func valuesAndGradientsAreThoseOfFloat32(block: Block, set: InstructionSet) {
            let inputs = block.inputs()
            let (fused, unrecorded) = set.limit {
                (Self.valueAndGradients(block.fused, inputs), block.fused(inputs).values)
            }
            let plain = Self.valueAndGradients(block.plain, inputs)
            for (index, (a, b)) in zip(fused, plain).enumerated() {
                let error = Self.distance(a, b)
                #expect(error < Self.tolerance, "\(index == 0 ? "value" : "gradient \(index - 1)"): off by \(error) of its size")
            }
            #expect(unrecorded == fused[0], "recording changes the values")
        }

        /// Gradients of some inputs are the same when others are constants, as in step A with a frozen AR model.
        @Test(arguments: blocks) func frozenInputsChangeNothing(block: Block) {
            let inputs = block.inputs()
            let all = Self.valueAndGradients(block.fused, inputs)
            for wanted in inputs.indices {
                let some = Self.valueAndGradients(block.fused, inputs, wanted: wanted)
                #expect(some[wanted + 1] == all[wanted + 1])
            }
        }

        @Test func resultsDoNotDependOnTheNumberOfThreads() async {
            await #expect(processExitsWith: .success) {
                for block in Self.blocks {
                    let inputs = block.inputs()
                    Parallel.threads = 1
                    let first = Self.valueAndGradients(block.fused, inputs)
                    for threads in [2, 3, 5] {
                        Parallel.threads = threads
                        let equal = Self.valueAndGradients(block.fused, inputs) == first
                        #expect(equal, "\(block), \(threads) threads")
                    }
                }
            }
        }

        static func valueAndGradients(
            _ op: ([Tensor]) -> Tensor, _ values: [Tensor], wanted: Int? = nil
        ) -> [[Float]] {
            let tape = Tape()
            let inputs = values.enumerated().map { wanted == nil || wanted == $0 ? tape.variable($1) : tape.constant($1) }
            let y = op(inputs)
            tape.backward(from: weightedSum(y, weights: random(y.shape, "weights").values))
            return [y.values] + inputs.map { tape.gradient(of: $0)?.values ?? [] }
        }

        /// Root mean square of the difference over that of the values.
        static func distance(_ a: [Float], _ b: [Float]) -> Double {
            guard a.count == b.count, !a.isEmpty else { return .infinity }
            return rootMeanSquare(zip(a, b).map { $0 - $1 }) / max(rootMeanSquare(b), 1e-6)
        }
    }
}
