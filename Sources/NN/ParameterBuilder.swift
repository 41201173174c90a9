import TensorCore

/// Where the parameters of a new model get their values from.
public enum ParameterSource {
    /// Drawn as method §3.11 says.
    case random(RandomStream)
    /// Memory without values, for a model that is filled from a file next.
    case unfilled
    /// Names and shapes alone, without memory: models of any size can be counted and compared with files.
    case meta
    /// Inputs of a program, named as the parameters with a prefix: what the model computes becomes a part of that program.
    case program(Program, prefix: String)
}

/// Makes the parameters of a model under their released names, in order.
///
///     let builder = ParameterBuilder(RandomStream(seed: 0, "head/initial"))
///     let head = Linear("head", from: 256, to: 10, in: builder)
///     builder.parameters.map(\.name)  // ["head.bias", "head.weight"]
public final class ParameterBuilder {
    public private(set) var parameters: [Parameter] = []
    private var source: ParameterSource
    private var names: Set<String> = []

    public init(_ source: ParameterSource) { self.source = source }

    public convenience init(_ stream: RandomStream) { self.init(.random(stream)) }

    /// Standard deviation that matrices and embeddings start with (method §3.11).
    public static let deviation: Float = 0.02

    /// Normal around `mean`, truncated at ±2 as PyTorch's `trunc_normal_` does, times `scale`.
    public func normal(
        _ name: String, _ shape: Shape, mean: Float = 0, deviation: Float = deviation, scale: Float = 1
    ) -> Parameter {
        guard case .random(var stream) = source else { return add(name, withoutValues(name, shape)) }
        let value = Tensor(shape) { (mean + max(-2, min(2, stream.normal() * deviation))) * scale }
        source = .random(stream)
        return add(name, value)
    }

    public func zeros(_ name: String, _ shape: Shape) -> Parameter {
        if case .random = source { return add(name, .zeros(shape)) }
        return add(name, withoutValues(name, shape))
    }

    /// What a model keeps beside its parameters and does not learn: a parameter of no optimiser, not among `parameters`.
    public func buffer(_ name: String, _ shape: Shape, repeating value: Float) -> Parameter {
        if case .random = source { return Parameter(name: name, value: Tensor(repeating: value, shape: shape)) }
        return Parameter(name: name, value: withoutValues(name, shape))
    }

    /// Values of `shape` that belong to the model and are not learned: made where the model has values.
    public func constant(_ shape: Shape, _ make: () -> Tensor) -> Tensor {
        if case .meta = source { Tensor(meta: shape) } else { make() }
    }

    private func withoutValues(_ name: String, _ shape: Shape) -> Tensor {
        switch source {
        case .meta: Tensor(meta: shape)
        case .program(let program, let prefix): program.input(prefix + name, shape)
        case .random, .unfilled: Tensor(uninitialized: shape)
        }
    }

    private func add(_ name: String, _ value: Tensor) -> Parameter {
        require(names.insert(name).inserted, "two parameters are called \(name)")
        let parameter = Parameter(name: name, value: value)
        parameters.append(parameter)
        return parameter
    }
}
