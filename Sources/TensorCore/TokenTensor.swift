/// Token ids, labels, indices: int32, row-major. Like a `Tensor` it may stand for a value of a `Program`.
public struct TokenTensor: Equatable, Sendable {
    public let shape: Shape
    private var content: Content

    private enum Content: Equatable {
        case memory([Int32])
        case node(Node)
    }

    public init(_ ids: [Int32], shape: Shape) {
        require(ids.count == shape.elementCount, "\(ids.count) ids do not fill shape \(shape)")
        content = .memory(ids)
        self.shape = shape
    }

    public init(repeating id: Int32, shape: Shape) {
        self.init([Int32](repeating: id, count: shape.elementCount), shape: shape)
    }

    /// 0 or 1 for each flag, [count]; nil where there are none.
    public init?(flags: [Bool]) {
        if flags.isEmpty { return nil }
        self.init(flags.map { $0 ? 1 : 0 }, shape: [flags.count])
    }

    /// What `node`, of type i32, will be.
    init(_ node: Node) {
        content = .node(node)
        shape = node.shape
    }

    /// The ids; a traced tensor has none before its program runs.
    public var ids: [Int32] {
        get {
            switch content {
            case .memory(let ids): return ids
            case .node(let node):
                fatalError("ids of \(shape) stand for a value of the program '\(node.program.name)', which has no values before it runs")
            }
        }
        _modify {
            var ids = ids
            // Not held twice, so that it is changed in place.
            content = .memory([])
            defer { content = .memory(ids) }
            yield &ids
        }
    }

    /// Whether it stands for a value of a program.
    public var isTraced: Bool { node != nil }

    var node: Node? { if case .node(let node) = content { node } else { nil } }

    public var count: Int { shape.elementCount }

    public func reshaped(_ shape: Shape) -> TokenTensor {
        if let node { return TokenTensor(node.reshaped(shape)) }
        return TokenTensor(ids, shape: shape)
    }

    /// Ends the program where an id is not in `0..<bound`. Ids of a traced tensor are known when its program runs: who gives them
    /// to it checks them there.
    func requireBelow(_ bound: Int, _ op: StaticString) {
        guard !isTraced else { return }
        for id in ids { require(id >= 0 && id < bound, "\(op): id \(id) is not in 0..<\(bound)") }
    }
}
