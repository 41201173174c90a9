/// Programs that several devices run at once, each on its share of a batch.
extension Program {
    /// What replicas have, averaged over all of them; each has as much of a batch as any other. So is the gradient, since a loss is the
    /// mean of what replicas make of their shares.
    public func meanOverReplicas(_ x: Tensor) -> Tensor {
        guard replicas > 1 else { return x }
        return record(mean(node(x)), from: [x]) { [self.mean($0)] }
    }

    private func mean(_ x: Node) -> Node { node(function.allReduce(x.value, replicas: replicas)) * (1 / Double(replicas)) }

    /// The number of a part among those of all replicas, [1]: `index` among the `count` of this one.
    public func part(_ index: TokenTensor, amongAll count: Int) -> TokenTensor {
        guard replicas > 1 else { return index }
        return TokenTensor((node(index).reshaped([]) + node(function.replica()) * Double(count)).reshaped([1]))
    }
}
