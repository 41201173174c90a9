/// How many devices run a program at once, each on its share of a batch.
public struct Replicas: Equatable, Sendable {
    public let count: Int
    /// Whether each keeps an equal part of what optimisers hold beside parameters, instead of all of it.
    public let shardsState: Bool

    public static let one = Replicas(1)

    public init(_ count: Int, shardsState: Bool = false) {
        (self.count, self.shardsState) = (count, shardsState && count > 1)
    }
}

/// What such devices tell each other.
///
/// A loss is the mean of what replicas make of their shares, and its gradient the mean of theirs. What is a statistic of the whole
/// batch is averaged over them where it arises, and so is what its gradient adds up over rows.
extension Program {
    /// What replicas have, averaged over all of them; each has as much of a batch as any other. So is the gradient.
    public func meanOverReplicas(_ x: Tensor) -> Tensor {
        guard replicas > 1 else { return x }
        return record(meanOverReplicas(node(x)), from: [x]) { [self.meanOverReplicas($0)] }
    }

    /// The same off the tape.
    func meanOverReplicas(_ x: Node) -> Node {
        guard replicas > 1 else { return x }
        return node(function.allReduce(x.value, replicas: replicas)) * (1 / Double(replicas))
    }

    /// The number of a part among those of all replicas, [1]: `index` among the `count` of this one.
    public func part(_ index: TokenTensor, amongAll count: Int) -> TokenTensor {
        guard replicas > 1 else { return index }
        return TokenTensor((node(index).reshaped([]) + node(function.replica()) * Double(count)).reshaped([1]))
    }
}

extension Tensor {
    /// Of a program that several devices run on their shares of a batch: the average of what they have. Elsewhere the tensor itself.
    public var meanOverReplicas: Tensor { Program.tracing(self)?.meanOverReplicas(self) ?? self }
}
