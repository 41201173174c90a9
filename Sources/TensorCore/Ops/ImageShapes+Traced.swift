/// Traced forms of `ImageShapes.swift`.
extension Program {
    func bilinearResize(_ x: Tensor, height: Int, width: Int) -> Tensor {
        // Two products with few numbers each are shorter than places to look up.
        func matrix(_ output: Int, _ input: Int) -> Node {
            var shares = [Float](repeating: 0, count: output * input)
            for i in 0..<output {
                let position = Float(i) * (Float(input) / Float(output))
                let low = min(Int(position), input - 1)
                let share = position - Float(low)
                shares[i * input + low] += 1 - share
                shares[i * input + min(low + 1, input - 1)] += share
            }
            return constant(shares, [output, input])
        }
        return resized(x, matrix(height, x.shape[1]), matrix(width, x.shape[2]))
    }

    func antialiasedResize(_ x: Tensor, _ rows: ResampledAxis, _ columns: ResampledAxis) -> Tensor {
        func matrix(_ axis: ResampledAxis) -> Node { constant(axis.matrix, [axis.output, axis.input]) }
        return resized(x, matrix(rows), matrix(columns), op: "antialiasedResize")
    }

    private func resized(_ x: Tensor, _ rows: Node, _ columns: Node, op: StaticString = "bilinearResize") -> Tensor {
        /// [B, H, W, C] → [B, rows, columns, C]; `axis` of the matrices is summed over.
        func resized(_ x: Node, summing axis: Int) -> Node {
            x.dot(rows, ([1], [axis])).dot(columns, ([1], [axis])).transposed([0, 2, 3, 1])
        }
        return record(resized(node(x), summing: 1), from: [x], op: op) { [resized($0, summing: 0)] }
    }

    func imagesFromPatches(_ x: Tensor, rows: Int, columns: Int, patch: Int) -> Tensor {
        let (batch, channels) = (x.shape[0], x.width / (patch * patch))
        let images = [batch, rows * patch, columns * patch, channels]
        let y = node(x).reshaped([batch, rows, columns, patch, patch, channels]).transposed([0, 1, 3, 2, 4, 5]).reshaped(images)
        return record(y, from: [x]) {
            [$0.reshaped([batch, rows, patch, columns, patch, channels]).transposed([0, 1, 3, 2, 4, 5]).reshaped(x.shape)]
        }
    }

    func concatChannels(_ parts: [Tensor]) -> Tensor {
        let axis = parts[0].rank - 1
        return record(Node.concatenated(parts.map(node), axis: axis), from: parts) { dy in
            var start = 0
            return parts.map { part in
                defer { start += part.width }
                return dy.sliced(axis, start..<start + part.width)
            }
        }
    }

    func transposed(_ x: Tensor) -> Tensor {
        let axes = Array(0..<x.rank - 2) + [x.rank - 1, x.rank - 2]
        return record(node(x).transposed(axes), from: [x]) { [$0.transposed(axes)] }
    }

    func firstChannels(_ x: Tensor, _ count: Int) -> Tensor {
        let axis = x.rank - 1
        return record(node(x).sliced(axis, 0..<count), from: [x]) { [$0.padded(axis, low: 0, high: x.width - count)] }
    }
}
