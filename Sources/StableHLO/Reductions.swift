/// What a reduction does with two numbers.
public enum Reduction: String, Sendable {
    case add, multiply, maximum, minimum, and, or
}

extension Function {
    /// Reduces over `axes`, which are gone from the result.
    public func reduce(_ x: Value, _ reduction: Reduction, axes: [Int]) -> Value {
        require(axes.allSatisfy(x.shape.indices.contains), "reduce \(x.type) over axes \(axes)")
        let result = x.type.with(x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] })
        let start = start(of: reduction, x.element)
        return emit(
            "reduce(\(x.name) init: \(start.name)) applies stablehlo.\(reduction.rawValue) across dimensions = \(axes) : "
                + signature([x, start], result), result)
    }

    /// Reduces several values of one shape together: `body` joins what two places hold.
    ///
    /// - Parameters:
    ///   - start: scalars that leave unchanged what they are joined with.
    ///   - body: scalars of one place and scalars of another → scalars of both.
    public func reduce(
        _ values: [Value], start: [Value], axes: [Int], _ body: (_ first: [Value], _ second: [Value]) -> [Value]
    ) -> [Value] {
        require(
            values.allSatisfy { $0.shape == values[0].shape } && zip(values, start).allSatisfy { $1.type == $0.type.with([]) }
                && values.count == start.count,
            "reduce \(types(values)) from \(types(start)) over axes \(axes)")
        let shape = values[0].shape.indices.filter { !axes.contains($0) }.map { values[0].shape[$0] }
        let results = values.map { $0.type.with(shape) }
        let name = newName()
        let count = values.count == 1 ? "" : ":\(values.count)"
        add(line: "\(name)\(count) = \"stablehlo.reduce\"(\(names(values + start))) <{dimensions = array<i64: \(list(axes))>}> ({")
        let joined = block((start + start).map(\.type)) { body(Array($0[..<start.count]), Array($0[start.count...])) }
        require(joined == start.map(\.type), "a reduction of \(types(start)) joins to \(joined)")
        let tuple = results.map(\.description).joined(separator: ", ")
        add(line: "}) : (\(types(values + start))) -> \(results.count == 1 ? tuple : "(\(tuple))")")
        return several(name, results)
    }

    /// Reduces windows of an image [batch, height, width, channels].
    public func reduceWindow(
        _ x: Value, _ reduction: Reduction, size: [Int], strides: [Int], padding: [(low: Int, high: Int)]
    ) -> Value {
        require(
            [size.count, strides.count, padding.count].allSatisfy { $0 == x.type.rank },
            "windows of \(size) by \(strides) in \(x.type)")
        let shape = x.shape.indices.map { (x.shape[$0] + padding[$0].low + padding[$0].high - size[$0]) / strides[$0] + 1 }
        let result = x.type.with(shape)
        let start = start(of: reduction, x.element)
        let name = newName()
        let pads = padding.map { "[\($0.low), \($0.high)]" }.joined(separator: ", ")
        add(
            line: "\(name) = \"stablehlo.reduce_window\"(\(x.name), \(start.name)) <{window_dimensions = array<i64: \(list(size))>, "
                + "window_strides = array<i64: \(list(strides))>, padding = dense<[\(pads)]> : tensor<\(x.type.rank)x2xi64>}> ({")
        block([start.type, start.type]) { [combine(reduction, $0[0], $0[1])] }
        add(line: "}) : \(signature([x, start], result))")
        return Value(name: name, type: result)
    }

    /// The number of the replica that runs, from 0 on: an i32 of shape [].
    public func replica() -> Value { convert(emit("replica_id : tensor<ui32>", TensorType([], .ui32)), .i32) }

    /// Sums over all replicas of the program.
    public func allReduce(_ x: Value, replicas: Int) -> Value {
        collective("all_reduce", x, "", replicas, adds: true, x.type)
    }

    /// Sums over all replicas, of which each gets as many rows of the first axis as any other, the first replica the first.
    public func reduceScatter(_ x: Value, replicas: Int) -> Value {
        require(x.type.rank > 0 && x.type.shape[0] % replicas == 0, "reduce_scatter of \(x.type) among \(replicas) replicas")
        let shape = [x.type.shape[0] / replicas] + x.type.shape.dropFirst()
        return collective("reduce_scatter", x, "scatter_dimension = 0 : i64, ", replicas, adds: true, x.type.with(shape))
    }

    /// The rows of all replicas, one after another.
    public func allGather(_ x: Value, replicas: Int) -> Value {
        require(x.type.rank > 0, "all_gather of \(x.type)")
        let shape = [x.type.shape[0] * replicas] + x.type.shape.dropFirst()
        return collective("all_gather", x, "all_gather_dim = 0 : i64, ", replicas, adds: false, x.type.with(shape))
    }

    /// - Parameter settings: of the instruction, beside the group of replicas.
    private func collective(
        _ instruction: String, _ x: Value, _ settings: String, _ replicas: Int, adds: Bool, _ result: TensorType
    ) -> Value {
        let name = newName()
        let group = "\(settings)replica_groups = dense<[\(Array(0..<replicas))]> : tensor<1x\(replicas)xi64>"
        let line = "\(name) = \"stablehlo.\(instruction)\"(\(x.name)) <{\(group)}>"
        if adds {
            add(line: "\(line) ({")
            let scalar = x.type.with([])
            block([scalar, scalar]) { [add($0[0], $0[1])] }
            add(line: "}) : \(signature([x], result))")
        } else {
            add(line: "\(line) : \(signature([x], result))")
        }
        return Value(name: name, type: result)
    }

    func combine(_ reduction: Reduction, _ a: Value, _ b: Value) -> Value {
        emit("\(reduction.rawValue) \(a.name), \(b.name) : \(a.type)", a.type)
    }

    /// What leaves the other operand unchanged.
    private func start(of reduction: Reduction, _ element: Element) -> Value {
        let value: Double
        switch reduction {
        case .add, .or: value = 0
        case .multiply: value = 1
        case .and: value = element == .i1 ? 1 : -1
        case .maximum: value = element.isFloat ? -.infinity : element == .i32 ? Double(Int32.min) : 0
        case .minimum: value = element.isFloat ? .infinity : element == .i32 ? Double(Int32.max) : Double(UInt32.max)
        }
        return constant(value, [], element)
    }

    func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }
}
