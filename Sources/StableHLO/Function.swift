/// A function in the making: every method adds an instruction and returns its result.
///
/// ```swift
/// let main = Function("main")
/// let x = main.argument([4, 8], .f32)
/// let y = main.tanh(main.add(x, main.constant(1, like: x)))
/// main.return([y])
/// let text = Module("example", [main]).text
/// ```
///
/// Operands that do not fit end the process with a message that names both types.
public final class Function {
    public let name: String
    /// Types of what `return` was given.
    public private(set) var results: [TensorType] = []
    private(set) var arguments: [Value] = []
    private var argumentAttributes: [String] = []
    private var lines: [String] = []
    private var valueCount = 0
    private var depth = 2
    private var hasReturned = false

    public init(_ name: String) { self.name = name }

    /// An argument of the function.
    ///
    /// - Parameter donatedTo: the result that is to lie in this argument's memory, by number; the argument is gone then.
    public func argument(_ shape: [Int], _ element: Element, donatedTo result: Int? = nil) -> Value {
        let value = Value(name: "%arg\(arguments.count)", type: TensorType(shape, element))
        arguments.append(value)
        argumentAttributes.append(result.map { " {tf.aliasing_output = \($0) : i32}" } ?? "")
        return value
    }

    /// Lets a result lie in an argument's memory; the argument is gone then.
    public func donate(_ argument: Value, to result: Int) {
        guard let place = arguments.firstIndex(of: argument) else { fatalError("\(argument.name) is no argument of \(name)") }
        argumentAttributes[place] = " {tf.aliasing_output = \(result) : i32}"
    }

    /// Ends the function with its results.
    public func `return`(_ values: [Value]) {
        require(!hasReturned, "\(name) returns twice")
        hasReturned = true
        results = values.map(\.type)
        add(line: "return \(names(values)) : \(types(values))")
    }

    // MARK: - For instructions

    func newName() -> String {
        valueCount += 1
        return "%\(valueCount)"
    }

    func add(line: String) { lines.append(String(repeating: "  ", count: depth) + line) }

    /// `%n = stablehlo.<text>` with a result of `type`.
    func emit(_ text: String, _ type: TensorType) -> Value {
        let value = Value(name: newName(), type: type)
        add(line: "\(value.name) = stablehlo.\(text)")
        return value
    }

    /// A block of code inside an instruction: `^bb0(…): …; stablehlo.return …`.
    ///
    /// - Returns: the types of what the block returns.
    @discardableResult
    func block(_ types: [TensorType], _ body: ([Value]) -> [Value]) -> [TensorType] {
        let arguments = types.map { Value(name: newName(), type: $0) }
        add(line: "^bb0(\(arguments.map { "\($0.name): \($0.type)" }.joined(separator: ", "))):")
        depth += 1
        let results = body(arguments)
        add(line: "stablehlo.return \(names(results)) : \(self.types(results))")
        depth -= 1
        return results.map(\.type)
    }

    /// Values that an instruction with several results makes: `%n#0`, `%n#1`, …
    func several(_ name: String, _ types: [TensorType]) -> [Value] {
        types.count == 1
            ? [Value(name: name, type: types[0])]
            : types.enumerated().map { Value(name: "\(name)#\($0)", type: $1) }
    }

    func names(_ values: [Value]) -> String { values.map(\.name).joined(separator: ", ") }
    func types(_ values: [Value]) -> String { values.map(\.type.description).joined(separator: ", ") }

    /// `(operands) -> result`, as most instructions end.
    func signature(_ operands: [Value], _ results: TensorType...) -> String {
        let result = results.map(\.description).joined(separator: ", ")
        return "(\(types(operands))) -> \(results.count == 1 ? result : "(\(result))")"
    }

    func indented<Result>(_ body: () -> Result) -> Result {
        depth += 1
        defer { depth -= 1 }
        return body()
    }

    var text: String {
        require(hasReturned, "\(name) does not return")
        let inputs = zip(arguments, argumentAttributes).map { "\($0.name): \($0.type)\($1)" }.joined(separator: ", ")
        let outputs = results.map(\.description).joined(separator: ", ")
        let visibility = name == "main" ? "public" : "private"
        return "  func.func \(visibility) @\(name)(\(inputs)) -> (\(outputs)) {\n\(lines.joined(separator: "\n"))\n  }\n"
    }
}

/// A program: its functions, of which `main` is the one that runs.
public struct Module {
    public let name: String
    public let functions: [Function]
    /// Copies of the program that run at once and may exchange sums.
    public let replicas: Int

    public init(_ name: String, _ functions: [Function], replicas: Int = 1) {
        require(functions.contains { $0.name == "main" }, "the module \(name) has no function main")
        self.name = name
        self.functions = functions
        self.replicas = replicas
    }

    public var text: String {
        "module @\(name) attributes {mhlo.num_replicas = \(replicas) : i32, mhlo.num_partitions = 1 : i32} {\n"
            + functions.map(\.text).joined() + "}\n"
    }
}
