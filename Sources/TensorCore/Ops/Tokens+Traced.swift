/// Traced forms of `Tokens.swift`.
extension Program {
    func embedding(_ tokens: TokenTensor, table: Tensor) -> Tensor {
        let (ids, rows) = (node(tokens).reshaped([tokens.count]), node(table))
        let y = rows.rows(ids).reshaped(tokens.shape + [table.width])
        return record(y, from: [table]) { [$0.reshaped([tokens.count, table.width]).summed(by: ids, count: table.shape[0])] }
    }

    func straightThroughEmbedding(_ probabilities: Tensor, ids: TokenTensor, table: Tensor) -> Tensor {
        let (places, rows) = (node(ids).reshaped([ids.count]), node(table))
        let y = rows.rows(places).reshaped(ids.shape + [table.width])
        return record(y, from: [probabilities, table]) { dy in
            [dy.timesRows(of: rows), dy.reshaped([ids.count, table.width]).summed(by: places, count: table.shape[0])]
        }
    }

    func concatTokens(_ parts: [Tensor]) -> Tensor {
        let (batch, width) = (parts.map { $0.shape[0] }.max() ?? 0, parts[0].width)
        let whole = parts.map { part in
            part.shape[0] == batch
                ? node(part) : node(part).reshaped(part.shape).broadcast(to: [batch, part.shape[1], width], axes: [0, 1, 2])
        }
        return record(Node.concatenated(whole, axis: 1), from: parts) { dy in
            var start = 0
            return parts.map { part in
                defer { start += part.shape[1] }
                let own = dy.sliced(1, start..<start + part.shape[1])
                return part.shape[0] == batch ? own : own.sum([0]).reshaped(part.shape)
            }
        }
    }

    func sliceTokens(_ x: Tensor, _ range: Range<Int>) -> Tensor {
        record(node(x).sliced(1, range), from: [x]) { [$0.padded(1, low: range.lowerBound, high: x.shape[1] - range.upperBound)] }
    }

    func argmax(_ x: Tensor) -> TokenTensor {
        let value = node(x)
        let places = iota(x.shape, .i32, axis: x.rank - 1)
        let isLargest = value.compare(.equal, value.rowMaxima.alongRows(of: value))
        return TokenTensor(isLargest.select(places, Double(x.width - 1)).reduce(.minimum, [x.rank - 1]))
    }
}
