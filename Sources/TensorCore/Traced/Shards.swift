/// State that replicas share out: each keeps an equal part of what an optimiser holds beside its parameters, updates that part, and
/// gets the parameters' other parts from the others (stage 1 of Rajbhandari et al. 2020, arXiv 1910.02054).
///
/// A part is a stretch of a tensor's numbers in row-major order, [k]; zeros behind them make parts equal. Where replicas do not share
/// state, the part of each is the tensor itself.
extension Program {
    /// The length of a part of `count` numbers.
    private func shardLength(_ count: Int) -> Int { (count + replicas - 1) / replicas }

    /// An input `name` of which each replica keeps its part of a tensor of `shape`.
    public func shardInput(_ name: String, _ shape: Shape) -> Tensor {
        guard shardsState else { return input(name, shape) }
        shards.insert(name)
        return input(name, [shardLength(shape.elementCount)])
    }

    /// This replica's part of what all have.
    public func shard(of x: Tensor) -> Tensor {
        guard shardsState else { return x }
        let (length, first) = (shardLength(x.count), node(function.replica()))
        return Tensor(padded(x).dynamicSlice([first * Double(length)], sizes: [length]))
    }

    /// This replica's part of the average of what replicas have.
    public func meanShard(of x: Tensor) -> Tensor {
        guard shardsState else { return meanOverReplicas(x.detached()) }
        return Tensor(node(function.reduceScatter(padded(x).value, replicas: replicas)) * (1 / Double(replicas)))
    }

    /// The tensor of `shape` whose parts replicas have.
    public func gathered(_ shard: Tensor, _ shape: Shape) -> Tensor {
        guard shardsState else { return shard }
        let all = node(function.allGather(node(shard).value, replicas: replicas))
        return Tensor(all.sliced(0, 0..<shape.elementCount).reshaped(shape))
    }

    /// A sum over all parts, where each replica has that over its own.
    func sumOverShards(_ x: Node) -> Node { shardsState ? meanOverReplicas(x) * Double(replicas) : x }

    private func padded(_ x: Tensor) -> Node {
        let (count, length) = (x.count, replicas * shardLength(x.count))
        return node(x).reshaped([count]).padded(0, low: 0, high: length - count)
    }
}
