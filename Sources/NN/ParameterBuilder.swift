import TensorCore

/// Makes the parameters of a model under their released names, in order, from one random stream.
public final class ParameterBuilder {
    public private(set) var parameters: [Parameter] = []
    private var stream: RandomStream
    private var names: Set<String> = []

    public init(_ stream: RandomStream) { self.stream = stream }

    /// Standard deviation that matrices and embeddings start with (METHOD §3).
    public static let deviation: Float = 0.02

    /// Normal around `mean`, cut at ±2 of it (which at this deviation cuts nothing), times `scale`.
    public func normal(
        _ name: String, _ shape: Shape, mean: Float = 0, deviation: Float = deviation, scale: Float = 1
    ) -> Parameter {
        let value = Tensor(uninitialized: shape)
        for i in 0..<value.count {
            value.pointer[i] = (mean + max(-2, min(2, stream.normal() * deviation))) * scale
        }
        return add(name, value)
    }

    public func zeros(_ name: String, _ shape: Shape) -> Parameter { add(name, .zeros(shape)) }

    private func add(_ name: String, _ value: Tensor) -> Parameter {
        require(names.insert(name).inserted, "two parameters are called \(name)")
        let parameter = Parameter(name: name, value: value)
        parameters.append(parameter)
        return parameter
    }
}
