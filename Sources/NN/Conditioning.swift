import TensorCore

/// The condition embedding of one network (method §3.3): c = GELU(RMSNorm(linear(one-hot label))), [1, width].
///
/// The published models give every norm the unconditional label, so one row serves the whole batch.
public struct ConditionEmbedding {
    public let projection: Linear
    public let norm: Parameter
    private let labels: Int

    /// `labels` counts the unconditional one, which is the last.
    public init(_ name: String, labels: Int, width: Int, in builder: ParameterBuilder) {
        self.labels = labels
        projection = Linear("\(name).cond_proj.0", from: labels, to: width, in: builder)
        norm = builder.zeros("\(name).cond_proj.1.weight", [width])
    }

    /// The embedding of the unconditional label.
    public func callAsFunction(on tape: Tape?, dropout: inout Dropout) -> Tensor {
        let oneHot = Tensor((0..<labels).map { $0 == labels - 1 ? 1 : 0 }, shape: [1, labels])
        let hidden = dropout.ofShared(projection(tape?.constant(oneHot) ?? oneHot, on: tape))
        return gelu(rmsNorm(hidden, weight: norm(on: tape).reshaped([1, norm.count])))
    }
}

/// RMS norm whose weight is an affine function of the condition (`name.affine`).
public struct ConditionalNorm {
    public let affine: Linear

    public init(_ name: String, width: Int, conditionWidth: Int, in builder: ParameterBuilder) {
        affine = Linear("\(name).affine", from: conditionWidth, to: width, scale: 1e-5, in: builder)
    }

    public func callAsFunction(_ x: Tensor, condition c: Tensor, on tape: Tape?) -> Tensor {
        rmsNorm(x, weight: affine(c, on: tape))
    }
}
