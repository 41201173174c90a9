import StableHLO

/// Attention in bfloat16 of which only the value and a number for each row are kept: the weights are computed again for the gradient.
///
/// On CUDA both passes are calls of cuDNN's fused attention, in which weights never lie in memory; other platforms get the same
/// formulas as instructions.
struct FusedAttention: TracedAttention {
    let value: Node
    /// By head: [B, L, H, d] and [B, S, H, d].
    private let q, k, v: Node
    /// Logarithms of the sums of each row's exponentials, [B, H, L].
    private let logSums: Node
    private let form: Form

    init(q: Node, k: Node, v: Node, heads: Int, causal: Bool) {
        let d = q.width / heads
        func byHead(_ x: Node) -> Node { x.reshaped([x.shape[0], x.shape[1], heads, d]) }
        (self.q, self.k, self.v) = (byHead(q), byHead(k), byHead(v))
        form = Form(isCausal: causal, scale: Double(1 / Float(d).squareRoot()))
        let results = q.program.call(
            form.name("attention", self.q, self.k), [self.q, self.k, self.v], own: form.isFused(self.q) ? ["cuda": form.fusedValue] : [:],
            form.value)
        (value, logSums) = (results[0].reshaped(q.shape), results[1])
    }

    func gradients(_ dy: Node) -> (q: Node, k: Node, v: Node) {
        let (y, d) = (value.reshaped(q.shape), dy.rounded.reshaped(q.shape))
        let results = q.program.call(
            form.name("attention_gradient", q, k), [q, k, v, logSums, d, y], own: form.isFused(q) ? ["cuda": form.fusedGradients] : [:],
            form.gradients)
        func flat(_ x: Node) -> Node { x.reshaped([x.shape[0], x.shape[1], x.shape[2] * x.shape[3]]).wide }
        return (flat(results[0]), flat(results[1]), flat(results[2]))
    }

    /// What does not depend on the operands.
    private struct Form {
        let isCausal: Bool
        let scale: Double

        func name(_ name: String, _ q: Node, _ k: Node) -> String {
            "\(name)\((q.shape + [k.shape[1]]).map { "_\($0)" }.joined())\(isCausal ? "_causal" : "")"
        }

        /// What cuDNN takes.
        func isFused(_ q: Node) -> Bool { q.width % 8 == 0 && q.width <= 128 }

        // MARK: As instructions

        private func scores(_ q: Node, _ k: Node) -> Node {
            let scores = q.dot(k, ([3], [3]), batch: ([0, 2], [0, 2])) * scale
            guard isCausal else { return scores }
            let program = q.program
            let (row, column) = (program.iota(scores.shape, .i32, axis: 2), program.iota(scores.shape, .i32, axis: 3))
            return column.compare(.lessOrEqual, row).select(scores, -1e30)
        }

        /// [B, H, L, d] → [B, L, H, d]
        private func byPlace(_ x: Node) -> Node { x.transposed([0, 2, 1, 3]).rounded }

        func value(_ operands: [Node]) -> [Node] {
            let (q, k, v) = (operands[0], operands[1], operands[2])
            let scores = scores(q, k)
            let maxima = scores.rowMaxima
            let weights = (scores - maxima.alongRows(of: scores)).exp
            let sums = weights.rowSums
            let p = (weights / sums.alongRows(of: weights)).rounded
            return [byPlace(p.dot(v, ([3], [1]), batch: ([0, 1], [0, 2]))), maxima + sums.log]
        }

        func gradients(_ operands: [Node]) -> [Node] {
            let (q, k, v) = (operands[0], operands[1], operands[2])
            let (logSums, dy, y) = (operands[3], operands[4], operands[5])
            let scores = scores(q, k)
            let p = (scores - logSums.alongRows(of: scores)).exp
            let dv = p.rounded.dot(dy, ([2], [1]), batch: ([0, 1], [0, 2]))
            let dp = dy.dot(v, ([3], [3]), batch: ([0, 2], [0, 2]))
            let delta = (dy.wide * y.wide).rowSums.transposed([0, 2, 1])
            let ds = (p * (dp - delta.alongRows(of: dp)) * scale).rounded
            return [
                byPlace(ds.dot(k, ([3], [1]), batch: ([0, 1], [0, 2]))), byPlace(ds.dot(q, ([2], [1]), batch: ([0, 1], [0, 2]))),
                byPlace(dv),
            ]
        }

        // MARK: As calls of cuDNN

        /// Places of the operands' axes: B, L, H, d.
        private static let operandLayout = [3, 2, 1, 0]
        /// Results are [B, H, L, d]; they lie in memory as [B, L, H, d], so that turning them costs nothing.
        private static let resultLayout = [3, 1, 2, 0]

        func fusedValue(_ operands: [Node]) -> [Node] {
            let (q, k) = (operands[0], operands[1])
            let (batch, length, heads, d) = (q.shape[0], q.shape[1], q.shape[2], q.shape[3])
            let results = q.program.custom(
                "__cudnn$fmhaSoftmax", operands,
                results: [TensorType([batch, heads, length, d], .bf16), TensorType([batch, heads, length], .f32), TensorType([0], .ui8)],
                configuration: configuration(
                    q, k,
                    [
                        ("bmm1_dot_dimension_numbers", ([3], [3], [0, 2], [0, 2])),
                        ("bmm2_dot_dimension_numbers", ([3], [1], [0, 1], [0, 2])),
                    ]),
                layouts: (operands.map { _ in Self.operandLayout }, [Self.resultLayout, [2, 1, 0], [0]]))
            return [results[0].transposed([0, 2, 1, 3]), results[1]]
        }

        func fusedGradients(_ operands: [Node]) -> [Node] {
            let (q, k) = (operands[0], operands[1])
            func result(_ x: Node) -> TensorType { TensorType([x.shape[0], x.shape[2], x.shape[1], x.shape[3]], .bf16) }
            let results = q.program.custom(
                "__cudnn$fmhaSoftmaxBackward", operands, results: [result(q), result(k), result(k), TensorType([0], .ui8)],
                configuration: configuration(
                    q, k,
                    [
                        ("bmm1_grad_gemm1_dot_dimension_numbers", ([2], [1], [0, 1], [0, 2])),
                        ("bmm1_grad_gemm2_dot_dimension_numbers", ([3], [1], [0, 1], [0, 2])),
                        ("bmm2_grad_gemm1_dot_dimension_numbers", ([2], [1], [0, 1], [0, 2])),
                        ("bmm2_grad_gemm2_dot_dimension_numbers", ([3], [3], [0, 2], [0, 2])),
                    ]),
                layouts: (operands.map { Array((0..<$0.rank).reversed()) }, [Self.resultLayout, Self.resultLayout, Self.resultLayout, [0]]))
            return results[..<3].map { $0.transposed([0, 2, 1, 3]) }
        }

        private typealias Axes = (left: [Int], right: [Int], leftBatch: [Int], rightBatch: [Int])

        /// A message `GpuBackendConfig` of XLA as JSON, whose numbers of 64 bits are texts.
        private func configuration(_ q: Node, _ k: Node, _ products: [(name: String, axes: Axes)]) -> String {
            func list(_ numbers: [Int]) -> String { "[\(numbers.map { "\"\($0)\"" }.joined(separator: ","))]" }
            let scores = list([q.shape[0], q.shape[2], q.shape[1], k.shape[1]])
            let dimensions = products.map { name, axes in
                """
                "\(name)":{"lhs_contracting_dimensions":\(list(axes.left)),"rhs_contracting_dimensions":\(list(axes.right)),\
                "lhs_batch_dimensions":\(list(axes.leftBatch)),"rhs_batch_dimensions":\(list(axes.rightBatch))}
                """
            }
            return """
                {"operation_queue_id":"0","cudnn_fmha_backend_config":{\
                "algorithm":{"algo_id":"0","math_type":"TENSOR_OP_MATH","tuning_knobs":{"17":"1","24":"0"},\
                "is_cudnn_frontend":true,"workspace_size":"0"},"fmha_scale":\(scale),\
                "intermediate_tensor_shape":{"element_type":"BF16","dimensions":\(scores),"tuple_shapes":[],\
                "layout":{"dim_level_types":[],"dim_unique":[],"dim_ordered":[],"minor_to_major":["3","2","1","0"],"tiles":[],\
                "element_size_in_bits":"0","memory_space":"0","index_primitive_type":"PRIMITIVE_TYPE_INVALID",\
                "pointer_primitive_type":"PRIMITIVE_TYPE_INVALID","dynamic_shape_metadata_prefix_bytes":"0"},\
                "is_dynamic_dimension":[false,false,false,false]},"is_flash_attention":true,\
                "mask_type":"\(isCausal ? "CAUSAL" : "NO_MASK")",\(dimensions.joined(separator: ",")),\
                "dropout_rate":0.0,"seed":"42","sliding_window_length":0,"max_seg_per_batch":1,"is_paged_attention":false}}
                """
        }
    }
}
