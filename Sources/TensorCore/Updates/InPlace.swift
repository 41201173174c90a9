/// Changes of tensors that live as long as a model: parameters, their averages and moments, running statistics.
extension Tensor {
    /// Moves an average: self += rate·(scale·value − self).
    public func moveAverage(towards value: Tensor, times scale: Float = 1, rate: Float) {
        requireValues(self, value)
        require(value.count == count, "moveAverage: shapes \(shape) and \(value.shape) differ")
        for i in 0..<count { pointer[i] += rate * (scale * value.pointer[i] - pointer[i]) }
    }

    /// Exchanges the values of both, so that nothing is held twice.
    public func exchange(with other: Tensor) {
        requireValues(self, other)
        require(other.count == count, "exchange: shapes \(shape) and \(other.shape) differ")
        let (a, b) = (pointer, other.pointer)
        for i in 0..<count { (a[i], b[i]) = (b[i], a[i]) }
    }

    /// Row `targets[i]` of the first axis becomes row `sources[i]` of `other`, which is [rows, width]; zeros if there is none.
    public func overwriteRows(_ targets: [Int], with other: Tensor?, rows sources: [Int]) {
        requireValues(self)
        let size = count / max(1, shape[0])
        require(
            targets.count == sources.count && targets.allSatisfy { (0..<shape[0]).contains($0) },
            "overwriteRows: rows \(targets) of \(shape) from \(sources)")
        require(
            other.map { other in other.width == size && sources.allSatisfy { (0..<other.rows).contains($0) } } ?? true,
            "overwriteRows: rows \(sources) of \(other?.shape ?? []) are no rows of \(shape)")
        for (target, source) in zip(targets, sources) {
            if let other {
                (pointer + target * size).update(from: other.pointer + source * size, count: size)
            } else {
                (pointer + target * size).update(repeating: 0, count: size)
            }
        }
    }
}

extension Parameter {
    /// Moves the value as an average; in a program the parameter stands for the next value from here on.
    public func moveAverage(towards target: Tensor, times scale: Float = 1, rate: Float) {
        if let program = Program.tracing(value, target) {
            value = program.movedAverage(value, towards: target, times: scale, rate: rate)
        } else {
            value.moveAverage(towards: target, times: scale, rate: rate)
        }
    }
}
