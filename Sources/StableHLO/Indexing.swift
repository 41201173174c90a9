extension Function {
    /// Rows of `table` [rows, width] by `indices` [n] → [n, width].
    public func gather(rows indices: Value, of table: Value) -> Value {
        require(table.type.rank == 2 && indices.type.rank == 1, "rows \(indices.type) of \(table.type)")
        let column = reshape(indices, indices.shape + [1])
        let result = table.type.with([indices.shape[0], table.shape[1]])
        return emitQuoted(
            "\"stablehlo.gather\"(\(table.name), \(column.name)) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], "
                + "collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, "
                + "slice_sizes = array<i64: 1, \(table.shape[1])>, indices_are_sorted = false}> : \(signature([table, column], result))",
            result)
    }

    /// One entry of each row of `x` [n, width], at the places `indices` [n] → [n].
    public func gather(entries indices: Value, of x: Value) -> Value {
        require(x.type.rank == 2 && indices.shape == [x.shape[0]], "entries \(indices.type) of \(x.type)")
        let rows = iota([x.shape[0], 1], indices.element, axis: 0)
        let places = concatenate([rows, reshape(indices, [x.shape[0], 1])], axis: 1)
        let result = x.type.with([x.shape[0]])
        return emitQuoted(
            "\"stablehlo.gather\"(\(x.name), \(places.name)) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0, 1], "
                + "start_index_map = [0, 1], index_vector_dim = 1>, slice_sizes = array<i64: 1, 1>, indices_are_sorted = true}> : "
                + signature([x, places], result), result)
    }

    /// Sums the rows `updates` [n, width] into `count` rows of zeros, each into the row of its index → [count, width]. Indices beyond
    /// them are left out.
    ///
    /// - Parameter unique: no index is there twice; else accelerators may add up in any order.
    public func scatterAdd(_ updates: Value, rows indices: Value, count: Int, unique: Bool = false) -> Value {
        require(updates.type.rank == 2 && indices.shape == [updates.shape[0]], "rows \(indices.type) for \(updates.type)")
        let zeros = constant(0, [count, updates.shape[1]], updates.element)
        let column = reshape(indices, indices.shape + [1])
        let name = newName()
        add(
            line: "\(name) = \"stablehlo.scatter\"(\(zeros.name), \(column.name), \(updates.name)) <{scatter_dimension_numbers = "
                + "#stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], "
                + "index_vector_dim = 1>, indices_are_sorted = false, unique_indices = \(unique)}> ({")
        let scalar = updates.type.with([])
        block([scalar, scalar]) { [add($0[0], $0[1])] }
        add(line: "}) : \(signature([zeros, column, updates], zeros.type))")
        return Value(name: name, type: zeros.type)
    }

    /// A part of `sizes` that begins at places known when the program runs.
    public func dynamicSlice(_ x: Value, starts: [Value], sizes: [Int]) -> Value {
        require(starts.count == x.type.rank && sizes.count == x.type.rank, "dynamic slice of \(sizes) from \(x.type)")
        let result = x.type.with(sizes)
        return emit(
            "dynamic_slice \(x.name), \(names(starts)), sizes = \(sizes) : \(signature([x] + starts, result))", result)
    }

    /// `x` with `update` written over it from `starts` on.
    public func dynamicUpdate(_ x: Value, with update: Value, starts: [Value]) -> Value {
        require(
            starts.count == x.type.rank && update.type.rank == x.type.rank && update.element == x.element,
            "dynamic update of \(x.type) with \(update.type)")
        return emit(
            "dynamic_update_slice \(x.name), \(update.name), \(names(starts)) : \(signature([x, update] + starts, x.type))", x.type)
    }

    /// Sorts values along one axis together, by the first of them.
    ///
    /// - Parameter stable: equal entries keep their order.
    public func sort(_ values: [Value], axis: Int, descending: Bool, stable: Bool = true) -> [Value] {
        require(values.allSatisfy { $0.shape == values[0].shape }, "sort \(types(values)) together")
        let name = newName()
        let count = values.count == 1 ? "" : ":\(values.count)"
        add(line: "\(name)\(count) = \"stablehlo.sort\"(\(names(values))) <{dimension = \(axis) : i64, is_stable = \(stable)}> ({")
        block(values.flatMap { [$0.type.with([]), $0.type.with([])] }) { [compare($0[0], descending ? .greater : .less, $0[1])] }
        let tuple = types(values)
        add(line: "}) : (\(tuple)) -> \(values.count == 1 ? tuple : "(\(tuple))")")
        return several(name, values.map(\.type))
    }

    /// The same as `emit`, for instructions in the general form, whose name stands in quotes.
    func emitQuoted(_ text: String, _ type: TensorType) -> Value {
        let value = Value(name: newName(), type: type)
        add(line: "\(value.name) = \(text)")
        return value
    }
}
