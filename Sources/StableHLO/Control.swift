extension Function {
    /// Repeats `body` while `condition` holds of the values that it carries.
    public func `while`(_ values: [Value], _ condition: ([Value]) -> Value, _ body: ([Value]) -> [Value]) -> [Value] {
        let name = newName()
        let carried = values.map { Value(name: newName(), type: $0.type) }
        let bindings = zip(carried, values).map { "\($0.name) = \($1.name)" }.joined(separator: ", ")
        let count = values.count == 1 ? "" : ":\(values.count)"
        add(line: "\(name)\(count) = stablehlo.while(\(bindings)) : \(types(values))")
        add(line: "cond {")
        indented {
            let holds = condition(carried)
            require(holds.type == TensorType([], .i1), "a loop's condition is \(holds.type), not one truth value")
            add(line: "stablehlo.return \(holds.name) : \(holds.type)")
        }
        add(line: "} do {")
        indented {
            let next = body(carried)
            require(next.map(\.type) == values.map(\.type), "a loop that carries \(types(values)) goes on with \(types(next))")
            add(line: "stablehlo.return \(names(next)) : \(types(next))")
        }
        add(line: "}")
        return several(name, values.map(\.type))
    }

    /// Repeats `body` for `first`, `first` + 1, … `end` − 1, given as a scalar i32.
    public func loop(
        _ end: Int, from first: Int = 0, _ values: [Value], _ body: (_ index: Value, [Value]) -> [Value]
    ) -> [Value] {
        let results = self.while([constant(Double(first), [], .i32)] + values) {
            compare($0[0], .less, Double(end))
        } _: { carried in
            let next = body(carried[0], Array(carried.dropFirst()))
            return [add(carried[0], 1)] + next
        }
        return Array(results.dropFirst())
    }

    /// The values, which are all in memory before any of them is used: what comes before is not computed again behind it.
    public func barrier(_ values: [Value]) -> [Value] {
        let name = newName()
        let count = values.count == 1 ? "" : ":\(values.count)"
        add(line: "\(name)\(count) = stablehlo.optimization_barrier \(names(values)) : \(types(values))")
        return several(name, values.map(\.type))
    }

    /// Calls another function of the module.
    public func call(_ function: Function, _ values: [Value]) -> [Value] {
        require(
            function.arguments.map(\.type) == values.map(\.type),
            "\(function.name) takes \(types(function.arguments)), not \(types(values))")
        let name = newName()
        let count = function.results.count == 1 ? "" : ":\(function.results.count)"
        let results = function.results.map(\.description).joined(separator: ", ")
        add(
            line: "\(name)\(count) = func.call @\(function.name)(\(names(values))) : (\(types(values))) -> "
                + (function.results.count == 1 ? results : "(\(results))"))
        return several(name, function.results)
    }

    /// Calls a function of the plugin by its name.
    ///
    /// - Parameters:
    ///   - configuration: what the function is told, such as JSON.
    ///   - layouts: order of the axes in memory, the innermost first, of operands and results; row-major unless given.
    public func customCall(
        _ target: String, _ operands: [Value], results: [TensorType], configuration: String = "",
        layouts: (operands: [[Int]], results: [[Int]])? = nil
    ) -> [Value] {
        func rowMajor(_ rank: Int) -> [Int] { Array((0..<rank).reversed()) }
        func text(_ layouts: [[Int]]) -> String {
            layouts.map { axes in
                let value = axes.isEmpty ? "" : axes.count == 1 ? "0" : "\(axes)"
                return "dense<\(value)> : tensor<\(axes.count)xindex>"
            }.joined(separator: ", ")
        }
        let layouts = layouts ?? (operands.map { rowMajor($0.type.rank) }, results.map { rowMajor($0.rank) })
        let name = newName()
        let count = results.count == 1 ? "" : ":\(results.count)"
        let outputs = results.map(\.description).joined(separator: ", ")
        let quoted = configuration.replacing("\\", with: "\\5C").replacing("\"", with: "\\22")
        add(
            line: "\(name)\(count) = stablehlo.custom_call @\(target)(\(names(operands))) {api_version = 2 : i32, "
                + "backend_config = \"\(quoted)\", operand_layouts = [\(text(layouts.operands))], "
                + "result_layouts = [\(text(layouts.results))]} : (\(types(operands))) -> "
                + (results.count == 1 ? outputs : "(\(outputs))"))
        return several(name, results)
    }
}
