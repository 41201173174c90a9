import StableHLO

/// A program in the making. Ops on its tensors emit instructions instead of computing; the tape records the same closures, which
/// emit too.
///
/// ```swift
/// let program = Program("double")
/// let x = program.input("x", [2, 3])
/// program.output("y", 2 * x)
/// let text = program.traced().text
/// ```
///
/// Tensors with values may enter its ops: they become constants. Belongs to one thread until it is `traced`.
public final class Program: @unchecked Sendable {
    public let name: String
    /// Devices that run the program at once, each on its share of a batch.
    public let replicas: Int
    /// Whether each of them keeps an equal part of what optimisers hold.
    let shardsState: Bool
    /// Names of inputs of which each replica has a part.
    var shards: Set<String> = []
    /// What convolutions multiply: sums are of float32 in either case, results of this type.
    public let convolutions: Element
    /// What instructions are added to.
    private(set) var function = Function("main")
    private var helpers: [String: Helper] = [:]
    private var inputs: [(slot: TracedProgram.Slot, value: Value)] = []
    private var outputs: [(slot: TracedProgram.Slot, value: Value)] = []

    /// A function that is called, and what stands in its place in programs of some platforms.
    private struct Helper {
        let function: Function
        let own: [String: Function]
    }

    /// Values of memory that became constants, by loop: what is emitted in a loop's body is known only there.
    private var constants: [[ObjectIdentifier: (storage: Storage, node: Node)]] = [[:]]

    public init(_ name: String, replicas: Replicas = .one, convolutions: Element = .f32) {
        (self.name, self.replicas, self.convolutions) = (name, replicas.count, convolutions)
        shardsState = replicas.shardsState
    }

    // MARK: What goes in and comes out

    /// Numbers that are given when the program runs.
    public func input(_ name: String, _ shape: Shape) -> Tensor { Tensor(input(name, shape, .f32)) }

    /// Ids that are given when the program runs; who gives them checks that they are ids of what is looked up by them.
    public func tokens(_ name: String, _ shape: Shape) -> TokenTensor { TokenTensor(input(name, shape, .i32)) }

    func input(_ name: String, _ shape: Shape, _ element: Element) -> Node {
        require(!inputs.contains { $0.slot.name == name }, "the program '\(self.name)' has two inputs '\(name)'")
        let value = function.argument(shape, element)
        inputs.append((.init(name: name, shape: shape, element: element), value))
        return node(value)
    }

    /// Numbers that the program returns. Where an input has the same name they are its next value: they lie in its memory, and
    /// what was given for it is gone.
    public func output(_ name: String, _ tensor: Tensor) { output(name, node(tensor)) }

    public func output(_ name: String, _ tokens: TokenTensor) { output(name, node(tokens)) }

    func output(_ name: String, _ node: Node) {
        require(!outputs.contains { $0.slot.name == name }, "the program '\(self.name)' has two outputs '\(name)'")
        outputs.append((.init(name: name, shape: node.shape, element: node.element), node.value))
    }

    /// The finished program.
    public func traced() -> TracedProgram {
        for (place, output) in outputs.enumerated() {
            guard let input = inputs.first(where: { $0.slot.name == output.slot.name }) else { continue }
            require(
                input.slot == output.slot,
                "'\(output.slot.name)' of the program '\(name)' goes in as \(input.value.type) and comes out as \(output.value.type)")
            function.donate(input.value, to: place)
        }
        function.return(outputs.map(\.value))
        let called = helpers.sorted { $0.key < $1.key }.map(\.value)
        func text(for platform: String?) -> String {
            let functions = called.map { helper in platform.flatMap { helper.own[$0] } ?? helper.function }
            return Module(name, [function] + functions, replicas: replicas).text
        }
        let platforms = Set(called.flatMap(\.own.keys))
        return TracedProgram(
            name: name, text: text(for: nil), ownTexts: Dictionary(uniqueKeysWithValues: platforms.map { ($0, text(for: $0)) }),
            inputs: inputs.map(\.slot), outputs: outputs.map(\.slot), replicas: replicas, shards: shards)
    }

    // MARK: For ops

    /// The program that one of these stands for a value of; nil where all have values.
    static func tracing(_ tensors: Tensor?..., tokens: TokenTensor?...) -> Program? {
        let nodes = tensors.compactMap { $0?.node } + tokens.compactMap { $0?.node }
        guard let program = nodes.first?.program else { return nil }
        require(nodes.allSatisfy { $0.program === program }, "an op's inputs belong to different programs")
        return program
    }

    static func tracing(_ tensors: [Tensor]) -> Program? { tensors.lazy.compactMap { $0.node?.program }.first }

    func node(_ value: Value) -> Node { Node(program: self, value: value) }

    /// Numbers of a tensor with values that may stand in the text of a program.
    private static let largestConstant = 1 << 21

    /// The value that a tensor stands for; its values as a constant where it has some.
    func node(_ tensor: Tensor) -> Node {
        if let node = tensor.node {
            require(node.program === self, "a tensor of the program '\(node.program.name)' is used in '\(name)'")
            return node.reshaped(tensor.shape)
        }
        require(
            tensor.count == tensor.shape.elementCount, "a tensor of \(tensor.shape) that is a shape only is used in the program '\(name)'")
        let values = tensor.values
        if let first = values.first, first.isFinite, values.count > 1, values.allSatisfy({ $0.bitPattern == first.bitPattern }) {
            return constant(Double(first), tensor.shape)
        }
        require(
            tensor.count <= Self.largestConstant,
            "a tensor of \(tensor.shape) is too large for a constant of the program '\(name)': give it as an input")
        let key = ObjectIdentifier(tensor.storage)
        if let known = constants.lazy.compactMap({ $0[key]?.node }).first { return known.reshaped(tensor.shape) }
        let node = node(function.constant(values, tensor.shape))
        constants[constants.count - 1][key] = (tensor.storage, node)
        return node
    }

    func node(_ tokens: TokenTensor) -> Node { tokens.node ?? node(function.constant(tokens.ids, tokens.shape)) }

    func constant(_ number: Double, _ shape: Shape, _ element: Element = .f32) -> Node {
        node(function.constant(number, shape, element))
    }

    func constant(_ numbers: [Float], _ shape: Shape) -> Node { node(function.constant(numbers, shape)) }

    /// 0, 1, 2, … along one axis.
    func iota(_ shape: Shape, _ element: Element, axis: Int) -> Node { node(function.iota(shape, element, axis: axis)) }

    /// Values that are kept: all of them are in memory before any is used, so that nothing before is computed again behind.
    func barrier(_ nodes: [Node]) -> [Node] { function.barrier(nodes.map(\.value)).map(node) }

    /// Values of a program, all of which are there before one is used; of memory as they are.
    static func tied(_ tensors: [Tensor]) -> [Tensor] {
        guard let program = tracing(tensors) else { return tensors }
        return program.barrier(tensors.map(program.node)).map { Tensor($0) }
    }

    /// Repeats `body` for `first`, `first` + 1, … `end` − 1.
    func loop(_ end: Int, from first: Int = 0, _ carried: [Node], _ body: (_ index: Node, [Node]) -> [Node]) -> [Node] {
        function.loop(end, from: first, carried.map(\.value)) { index, values in
            constants.append([:])
            defer { constants.removeLast() }
            return body(node(index), values.map(node)).map(\.value)
        }.map(node)
    }

    /// Calls a function of the program, which `make` writes where it is called first.
    ///
    /// - Parameter own: forms that platforms have of their own, by their names; results and types are those of `make`.
    func call(
        _ name: String, _ arguments: [Node], own: [String: ([Node]) -> [Node]] = [:], _ make: ([Node]) -> [Node]
    ) -> [Node] {
        let helper =
            helpers[name] ?? Helper(function: written(name, arguments, make), own: own.mapValues { written(name, arguments, $0) })
        helpers[name] = helper
        return function.call(helper.function, arguments.map(\.value)).map(node)
    }

    /// Calls a function of the platform's.
    func custom(
        _ target: String, _ operands: [Node], results: [TensorType], configuration: String, layouts: (operands: [[Int]], results: [[Int]])
    ) -> [Node] {
        function.customCall(target, operands.map(\.value), results: results, configuration: configuration, layouts: layouts).map(node)
    }

    private func written(_ name: String, _ arguments: [Node], _ make: ([Node]) -> [Node]) -> Function {
        let outer = (function, constants)
        defer { (function, constants) = outer }
        (function, constants) = (Function(name), [[:]])
        function.return(make(arguments.map { node(function.argument($0.shape, $0.element)) }).map(\.value))
        return function
    }

    /// Puts an op's value on the tape of its inputs. `gradients` makes those of all inputs of that of the value; compilers drop
    /// what nobody wants.
    func record(
        _ y: Node, from inputs: [Tensor], op: StaticString = #function, gradients: @escaping (_ dy: Node) -> [Node]
    ) -> Tensor {
        let slots = inputs.map(\.slot)
        return Tape.record(Tensor(y), from: inputs, op: op) { dy, tape in
            let gradients = gradients(self.node(dy).reshaped(y.shape))
            for (slot, gradient) in zip(slots, gradients) {
                if let slot { tape.add(Tensor(gradient), to: slot) }
            }
        }
    }
}

/// A program as text, and what goes in and comes out, in order.
public struct TracedProgram: Sendable {
    public struct Slot: Hashable, Sendable {
        public let name: String
        public let shape: Shape
        public let element: Element
    }

    public let name: String
    /// StableHLO.
    public let text: String
    /// The same for platforms that have forms of their own.
    public package(set) var ownTexts: [String: String]
    public let inputs, outputs: [Slot]
    /// Devices that run it at once.
    public let replicas: Int
    /// Names of inputs of which each device has an equal part, as `Program.shardInput` says.
    public let shards: Set<String>

    /// Inputs whose next values come out under the same name; what was given for them is gone.
    public var updated: [String] { inputs.map(\.name).filter { name in outputs.contains { $0.name == name } } }
}

extension Tensor {
    /// What `node`, of type float32, will be.
    init(_ node: Node) {
        require(node.element == .f32, "a tensor of \(node.element) numbers")
        self.init(shape: node.shape, content: .node(node), trace: nil)
    }
}
