import Accelerators
import Models
import PJRT
import TensorCore

/// A prior at work on a device: its parameters are copied there once, for all that is asked of it.
final class DeviceSequences {
    let accelerator: Accelerator
    let config: ARConfig
    private let parameters: DeviceState
    private var crossEntropies: [Int: CompiledProgram] = [:]

    init(_ accelerator: Accelerator, _ model: ARModel) throws {
        (self.accelerator, config) = (accelerator, model.config)
        parameters = DeviceState(model.parameters.map { ("prior/value/\($0.name)", $0.value) }, on: accelerator)
    }

    /// Runs a program that reads the parameters.
    func run(_ program: CompiledProgram, _ inputs: [String: Buffer]) throws -> ProgramValues { try parameters.run(program, inputs) }

    /// In nats, [B, T].
    func crossEntropy(targets: TokenTensor, labels: TokenTensor) throws -> Tensor {
        let (count, length) = (labels.count, config.layout.length)
        // Programs are made for few sizes; what fills a batch up is measured and left.
        var batch = 1
        while batch < count { batch *= 2 }
        let program = try crossEntropies[batch] ?? accelerator.compile(PriorProgram.crossEntropy(config, batch: batch))
        crossEntropies[batch] = program
        let padded = (targets.rows(paddedTo: batch), labels.rows(paddedTo: batch))
        let nats = try run(program, ["targets": accelerator.copy(padded.0), "labels": accelerator.copy(padded.1)]).tensor("nats")
        return Tensor(Array(nats.values.prefix(count * length)), shape: [count, length])
    }

    /// [layers, heads, T, T]
    func attentionMaps(targets: TokenTensor, labels: TokenTensor) throws -> Tensor {
        let program = try accelerator.compile(PriorProgram.attentionMaps(config, batch: labels.count))
        return try run(program, ["targets": accelerator.copy(targets), "labels": accelerator.copy(labels)]).tensor("maps")
    }
}

extension TokenTensor {
    /// Rows of id 0 added, so that there are `count`.
    func rows(paddedTo count: Int) -> TokenTensor {
        let width = self.count / shape[0]
        return TokenTensor(ids + [Int32](repeating: 0, count: (count - shape[0]) * width), shape: [count] + shape.dropFirst())
    }
}
