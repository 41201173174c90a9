import Accelerators
import Models
import PJRT
import TensorCore

/// Encodes and decodes on a device, always in batches of one size.
struct DeviceCoding {
    private let accelerator: Accelerator
    private let config: TokenizerConfig
    private let batch: Int
    private let state: DeviceState
    private let encoding, decoding: CompiledProgram

    init(_ accelerator: Accelerator, _ model: Tokenizer, batch: Int) throws {
        (self.accelerator, config, self.batch) = (accelerator, model.config, batch)
        encoding = try accelerator.compile(CodingProgram.encoding(config, batch: batch))
        decoding = try accelerator.compile(CodingProgram.decoding(config, batch: batch))
        state = DeviceState(model.parameters.map { (CodingProgram.prefix + $0.name, $0.value) }, on: accelerator)
    }

    /// Patches [n, N, p·p·C] of at most `batch` images → prologue and visual indices [n, K + N].
    func encode(_ patches: Tensor) throws -> TokenTensor {
        let (count, each) = (patches.shape[0], patches.count / patches.shape[0])
        // What fills a batch up is encoded and left.
        let padding = [Float](repeating: 0, count: (batch - count) * each)
        let padded = Tensor(patches.values + padding, shape: [batch, patches.shape[1], patches.shape[2]])
        let indices = try state.run(encoding, ["patches": accelerator.copy(padded)]).tokens("indices")
        let width = indices.shape[1]
        return TokenTensor(Array(indices.ids.prefix(count * width)), shape: [count, width])
    }

    /// Visual indices [n, N] of at most `batch` images → patches [n, N, p·p·C].
    func decode(_ visual: TokenTensor) throws -> Tensor {
        let (count, width) = (visual.shape[0], visual.shape[1])
        let padding = [Int32](repeating: 0, count: (batch - count) * width)
        let padded = TokenTensor(visual.ids + padding, shape: [batch, width])
        let patches = try state.run(decoding, ["indices": accelerator.copy(padded)]).tensor("patches")
        let shape = [count] + patches.shape.dropFirst()
        return Tensor(Array(patches.values.prefix(shape.reduce(1, *))), shape: shape)
    }
}
