/// Parts of a batch whose rows are computed a few at a time. Which part it is, a single id, is known here or when a program runs.
extension Tensor {
    /// Rows `index`·`count` ..< (`index` + 1)·`count` of the first axis, off the tape.
    package func part(_ index: TokenTensor, rows count: Int) -> Tensor {
        if let program = Program.tracing(self, tokens: index) {
            return Tensor(program.part(program.node(index), of: program.node(self), rows: count))
        }
        let (first, size) = (Int(index.ids[0]) * count, self.count / shape[0])
        return Tensor(Array(values[first * size..<(first + count) * size]), shape: [count] + shape.dropFirst())
    }

    /// Those rows become `part`, of a traced tensor.
    package func replacing(_ index: TokenTensor, by part: Tensor) -> Tensor {
        guard let program = Program.tracing(self, part, tokens: index) else { fatalError("rows of memory are not replaced by a program") }
        return Tensor(program.replacing(program.node(index), of: program.node(self), by: program.node(part)))
    }

    /// Rows of tensors with values, one after another, off the tape.
    package init(joining parts: [Tensor]) {
        self.init(
            parts.flatMap(\.values), shape: [parts.reduce(0) { $0 + $1.shape[0] }] + parts[0].shape.dropFirst())
    }
}

extension TokenTensor {
    /// Rows `index`·`count` ..< (`index` + 1)·`count` of the first axis.
    package func part(_ index: TokenTensor, rows count: Int) -> TokenTensor {
        if let program = Program.tracing(tokens: self, index) {
            return TokenTensor(program.part(program.node(index), of: program.node(self), rows: count))
        }
        let (first, size) = (Int(index.ids[0]) * count, self.count / shape[0])
        return TokenTensor(Array(ids[first * size..<(first + count) * size]), shape: [count] + shape.dropFirst())
    }

    /// Those rows become `part`, of traced ids.
    package func replacing(_ index: TokenTensor, by part: TokenTensor) -> TokenTensor {
        guard let program = Program.tracing(tokens: self, part, index) else {
            fatalError("rows of memory are not replaced by a program")
        }
        return TokenTensor(program.replacing(program.node(index), of: program.node(self), by: program.node(part)))
    }

    /// Rows of ids that are known, one after another.
    package init(joining parts: [TokenTensor]) {
        self.init(parts.flatMap(\.ids), shape: [parts.reduce(0) { $0 + $1.shape[0] }] + parts[0].shape.dropFirst())
    }
}

extension Program {
    /// Where a part begins, along all axes.
    private func start(_ index: Node, of all: Node, rows count: Int) -> [Node] {
        [index.reshaped([]) * Double(count)] + all.shape.dropFirst().map { _ in constant(0, [], .i32) }
    }

    fileprivate func part(_ index: Node, of all: Node, rows count: Int) -> Node {
        all.dynamicSlice(start(index, of: all, rows: count), sizes: [count] + all.shape.dropFirst())
    }

    fileprivate func replacing(_ index: Node, of all: Node, by part: Node) -> Node {
        all.updated(with: part, start(index, of: all, rows: part.shape[0]))
    }
}
