extension Function {
    /// The same numbers in another shape; the value itself where it has that shape.
    public func reshape(_ x: Value, _ shape: [Int]) -> Value {
        if x.shape == shape { return x }
        let result = x.type.with(shape)
        require(result.count == x.type.count, "reshape \(x.type) to \(result)")
        return emit("reshape \(x.name) : \(signature([x], result))", result)
    }

    /// Repeats a value. Axis i of `x` becomes axis `axes[i]` of the result and is as long, or 1.
    public func broadcast(_ x: Value, to shape: [Int], axes: [Int]) -> Value {
        let result = x.type.with(shape)
        require(
            axes.count == x.type.rank && zip(x.shape, axes).allSatisfy { shape.indices.contains($1) && ($0 == 1 || $0 == shape[$1]) },
            "broadcast \(x.type) along axes \(axes) to \(result)")
        return emit("broadcast_in_dim \(x.name), dims = \(axes) : \(signature([x], result))", result)
    }

    /// Repeats along the first axes: a value for each column.
    public func broadcastRows(_ x: Value, like other: Value) -> Value {
        broadcast(x, to: other.shape, axes: Array(other.type.rank - x.type.rank..<other.type.rank))
    }

    /// Repeats along the last axes: a value for each row.
    public func broadcastColumns(_ x: Value, like other: Value) -> Value {
        broadcast(x, to: other.shape, axes: Array(0..<x.type.rank))
    }

    /// Axis i of the result is axis `axes[i]` of `x`.
    public func transpose(_ x: Value, _ axes: [Int]) -> Value {
        require(axes.sorted() == Array(0..<x.type.rank), "transpose \(x.type) by \(axes)")
        let result = x.type.with(axes.map { x.shape[$0] })
        return emit("transpose \(x.name), dims = \(axes) : \(signature([x], result))", result)
    }

    /// A part: one range for each axis.
    ///
    /// - Parameter strides: of each range every so manieth entry; all of them unless given.
    public func slice(_ x: Value, _ ranges: [Range<Int>], strides: [Int]? = nil) -> Value {
        let strides = strides ?? ranges.map { _ in 1 }
        require(
            ranges.count == x.type.rank && zip(ranges, x.shape).allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= $1 }
                && strides.count == ranges.count && strides.allSatisfy { $0 > 0 },
            "slice \(ranges) by \(strides) of \(x.type)")
        let result = x.type.with(zip(ranges, strides).map { ($0.count + $1 - 1) / $1 })
        let parts = zip(ranges, strides).map { "\($0.lowerBound):\($0.upperBound):\($1)" }.joined(separator: ", ")
        return emit("slice \(x.name) [\(parts)] : \(signature([x], result))", result)
    }

    /// A range of one axis, all of the others.
    public func slice(_ x: Value, axis: Int, _ range: Range<Int>) -> Value {
        slice(x, x.shape.enumerated().map { $0 == axis ? range : 0..<$1 })
    }

    public func concatenate(_ values: [Value], axis: Int) -> Value {
        let first = values[0]
        var shape = first.shape
        require(shape.indices.contains(axis), "concatenate \(first.type) along axis \(axis)")
        for value in values {
            var other = value.shape
            require(other.count == shape.count && value.element == first.element, "concatenate \(first.type) and \(value.type)")
            other[axis] = first.shape[axis]
            require(other == first.shape, "concatenate \(first.type) and \(value.type) along axis \(axis)")
        }
        shape[axis] = values.reduce(0) { $0 + $1.shape[axis] }
        let result = first.type.with(shape)
        return emit("concatenate \(names(values)), dim = \(axis) : \(signature(values, result))", result)
    }

    /// Numbers `value` before, behind and between the entries of each axis; negative counts cut off.
    public func pad(_ x: Value, with value: Double = 0, low: [Int], high: [Int], interior: [Int]? = nil) -> Value {
        let interior = interior ?? Array(repeating: 0, count: x.type.rank)
        require([low, high, interior].allSatisfy { $0.count == x.type.rank }, "pad \(x.type) by \(low), \(high), \(interior)")
        let shape = x.shape.indices.map { low[$0] + high[$0] + x.shape[$0] + max(x.shape[$0] - 1, 0) * interior[$0] }
        let result = x.type.with(shape)
        let filling = constant(value, [], x.element)
        return emit(
            "pad \(x.name), \(filling.name), low = \(low), high = \(high), interior = \(interior) : \(signature([x, filling], result))",
            result)
    }

    public func reverse(_ x: Value, axes: [Int]) -> Value { emit("reverse \(x.name), dims = \(axes) : \(x.type)", x.type) }
}
