/// Instructions of one operand that go number by number.
public enum Unary: String, Sendable {
    case abs, negate, sign, floor, ceil, not, exponential, log, logistic, tanh, sqrt, rsqrt, sine, cosine
    case exponentialMinusOne = "exponential_minus_one"
    case logPlusOne = "log_plus_one"
    case roundNearestEven = "round_nearest_even"
}

/// Instructions of two operands of one type.
public enum Binary: String, Sendable {
    case add, subtract, multiply, divide, maximum, minimum, power, remainder, and, or, xor
    case shiftLeft = "shift_left"
    case shiftRight = "shift_right_logical"
}

/// How `compare` compares.
public enum Comparison: String, Sendable {
    case equal = "EQ"
    case notEqual = "NE"
    case less = "LT"
    case lessOrEqual = "LE"
    case greater = "GT"
    case greaterOrEqual = "GE"
}

extension Function {
    public func apply(_ operation: Unary, _ x: Value) -> Value {
        emit("\(operation.rawValue) \(x.name) : \(x.type)", x.type)
    }

    public func apply(_ operation: Binary, _ a: Value, _ b: Value) -> Value {
        require(a.type == b.type, "\(operation.rawValue) of \(a.type) and \(b.type)")
        return emit("\(operation.rawValue) \(a.name), \(b.name) : \(a.type)", a.type)
    }

    public func add(_ a: Value, _ b: Value) -> Value { apply(.add, a, b) }
    public func subtract(_ a: Value, _ b: Value) -> Value { apply(.subtract, a, b) }
    public func multiply(_ a: Value, _ b: Value) -> Value { apply(.multiply, a, b) }
    public func divide(_ a: Value, _ b: Value) -> Value { apply(.divide, a, b) }
    public func maximum(_ a: Value, _ b: Value) -> Value { apply(.maximum, a, b) }
    public func minimum(_ a: Value, _ b: Value) -> Value { apply(.minimum, a, b) }

    /// The same with a number in place of the second operand.
    public func apply(_ operation: Binary, _ a: Value, _ b: Double) -> Value { apply(operation, a, constant(b, like: a)) }
    public func add(_ a: Value, _ b: Double) -> Value { apply(.add, a, b) }
    public func subtract(_ a: Value, _ b: Double) -> Value { apply(.subtract, a, b) }
    public func multiply(_ a: Value, _ b: Double) -> Value { apply(.multiply, a, b) }
    public func divide(_ a: Value, _ b: Double) -> Value { apply(.divide, a, b) }
    public func maximum(_ a: Value, _ b: Double) -> Value { apply(.maximum, a, b) }
    public func minimum(_ a: Value, _ b: Double) -> Value { apply(.minimum, a, b) }

    /// Truth values.
    public func compare(_ a: Value, _ comparison: Comparison, _ b: Value) -> Value {
        require(a.type == b.type, "compare \(a.type) with \(b.type)")
        let result = a.type.with(.i1)
        return emit("compare \(comparison.rawValue), \(a.name), \(b.name) : \(signature([a, b], result))", result)
    }

    public func compare(_ a: Value, _ comparison: Comparison, _ b: Double) -> Value {
        compare(a, comparison, constant(b, like: a))
    }

    /// `a` where `condition` is true, else `b`.
    public func select(_ condition: Value, _ a: Value, _ b: Value) -> Value {
        require(condition.type == a.type.with(.i1), "select by \(condition.type) among \(a.type)")
        require(a.type == b.type, "select among \(a.type) and \(b.type)")
        return emit("select \(condition.name), \(a.name), \(b.name) : \(condition.type), \(a.type)", a.type)
    }

    /// The same numbers in another type; the value itself where it has that type.
    public func convert(_ x: Value, _ element: Element) -> Value {
        if x.element == element { return x }
        let result = x.type.with(element)
        return emit("convert \(x.name) : \(signature([x], result))", result)
    }

    /// The same bits read as another type of the same width.
    public func bits(_ x: Value, as element: Element) -> Value {
        let result = x.type.with(element)
        return emit("bitcast_convert \(x.name) : \(signature([x], result))", result)
    }

    public func isFinite(_ x: Value) -> Value {
        let result = x.type.with(.i1)
        return emit("is_finite \(x.name) : \(signature([x], result))", result)
    }
}
