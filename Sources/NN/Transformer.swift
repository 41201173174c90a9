import TensorCore

/// A stack of transformer layers with its condition embedding and, where the network has one, an output norm.
public struct Transformer {
    public let shape: TransformerShape
    let condition: ConditionEmbedding
    let layers: [TransformerLayer]
    let outputNorm: ConditionalNorm?

    public init(
        _ name: String, _ shape: TransformerShape, labels: Int, conditionWidth: Int, outputNorm: Bool,
        in builder: ParameterBuilder
    ) {
        self.shape = shape
        condition = ConditionEmbedding(name, labels: labels, width: conditionWidth, in: builder)
        layers = (0..<shape.layers).map {
            TransformerLayer("\(name).layers.\($0)", shape, conditionWidth: conditionWidth, in: builder)
        }
        self.outputNorm =
            outputNorm
            ? ConditionalNorm("\(name).out_norm", width: shape.width, conditionWidth: conditionWidth, in: builder)
            : nil
    }

    /// x [B, L, D] at the table's positions → [B, L, D].
    public func callAsFunction(
        _ x: Tensor, table: RotaryTable, on tape: Tape?, dropout: inout Dropout
    ) -> Tensor {
        let (x, scale) = beforeOutputNorm(x, table: table, on: tape, dropout: &dropout)
        return scale.map { rmsNorm(x, weight: $0) } ?? x
    }

    /// The same without the output norm, and that norm's weight [1, D] where there is one.
    public func beforeOutputNorm(
        _ x: Tensor, table: RotaryTable, on tape: Tape?, dropout: inout Dropout
    ) -> (x: Tensor, scale: Tensor?) {
        let c = condition(on: tape, dropout: &dropout)
        var x = x
        for layer in layers {
            guard let tape, shape.recomputes else {
                x = layer(x, condition: c, table: table, on: tape, dropout: &dropout)
                continue
            }
            let start = dropout
            let y = layer(x.detached(), condition: c.detached(), table: table, on: nil, dropout: &dropout)
            x = tape.recomputing(y, from: [x, c]) { inputs, tape in
                var dropout = start
                return layer(inputs[0], condition: inputs[1], table: table, on: tape, dropout: &dropout)
            }
        }
        return (x, outputNorm?.affine(c, on: tape))
    }

    public func callAsFunction(_ x: Tensor, table: RotaryTable, on tape: Tape? = nil) -> Tensor {
        var none = Dropout.none
        return self(x, table: table, on: tape, dropout: &none)
    }
}
