/// Ids `range` of each row of [B, L] → [B, range.count].
public func sliceTokens(_ ids: TokenTensor, _ range: Range<Int>) -> TokenTensor {
    require(
        ids.shape.count == 2 && range.lowerBound >= 0 && range.upperBound <= ids.shape[1],
        "sliceTokens: \(range) is not within \(ids.shape)")
    if let program = Program.tracing(tokens: ids) { return TokenTensor(program.node(ids).sliced(1, range)) }
    let (values, length) = (ids.ids, ids.shape[1])
    let kept = (0..<ids.shape[0]).flatMap { values[$0 * length + range.lowerBound..<$0 * length + range.upperBound] }
    return TokenTensor(kept, shape: [ids.shape[0], range.count])
}

/// Joins rows of ids: [B, L₁], [B, L₂], … → [B, ΣL].
public func concatTokens(_ parts: [TokenTensor]) -> TokenTensor {
    let batch = parts[0].shape[0]
    require(
        parts.allSatisfy { $0.shape.count == 2 && $0.shape[0] == batch }, "concatTokens: ids of \(parts.map(\.shape)) do not fit")
    if let program = parts.lazy.compactMap({ $0.node?.program }).first {
        return TokenTensor(Node.concatenated(parts.map(program.node), axis: 1))
    }
    let rows = parts.map { (ids: $0.ids, length: $0.shape[1]) }
    let joined = (0..<batch).flatMap { b in rows.flatMap { $0.ids[b * $0.length..<(b + 1) * $0.length] } }
    return TokenTensor(joined, shape: [batch, rows.reduce(0) { $0 + $1.length }])
}

extension TokenTensor {
    /// Every id moved by `offset`.
    public static func + (ids: TokenTensor, offset: Int) -> TokenTensor {
        if let program = Program.tracing(tokens: ids) { return TokenTensor(program.node(ids) + Double(offset)) }
        return TokenTensor(ids.ids.map { $0 + Int32(offset) }, shape: ids.shape)
    }

    /// [B, L] where rows whose flag, of [B], is not 0 have `id` in columns `from…`.
    public func replacing(where flags: TokenTensor, from column: Int, by id: Int) -> TokenTensor {
        require(shape.count == 2 && flags.shape == [shape[0]], "flags \(flags.shape) are not one for each row of \(shape)")
        if let program = Program.tracing(tokens: self, flags) {
            let ids = program.node(self)
            let isFlagged = program.node(flags).compare(.notEqual, 0).alongRows(of: ids)
            let isBehind = program.iota(shape, .i32, axis: 1).compare(.greaterOrEqual, Double(column))
            return TokenTensor(isFlagged.and(isBehind).select(ids.constant(Double(id)), ids))
        }
        var result = self
        let (flags, length) = (flags.ids, shape[1])
        for row in 0..<shape[0] where flags[row] != 0 {
            for place in min(column, length)..<length { result.ids[row * length + place] = Int32(id) }
        }
        return result
    }
}
