import Accelerators
import Files
import Models
import NN
import PJRT
import Settings
import TensorCore

/// Where a pack is recomputed.
public enum PackEngine {
    /// The kernels of this program.
    case kernels
    /// Programs on a device.
    case device(Accelerator)
}

/// Named results of a pack's model.
struct PackValues {
    var tensors: [String: Tensor] = [:]
    var ids: [String: TokenTensor] = [:]
}

/// Images and labels of a pack.
struct PackBatch {
    var patches: Tensor
    let labels: TokenTensor
    let dropped: TokenTensor?
}

/// The model of a pack, computed on either engine: what is done with it is written once.
struct PackComputation {
    let engine: PackEngine
    let description: PackDescription
    let file: SafetensorsFile
    /// With values.
    let model: PackModel
    let batch: PackBatch

    /// What `body` makes of model and batch; on a device both are traced, and the results are of a program that has run.
    func callAsFunction(_ name: String, _ body: (PackModel, PackBatch) -> PackValues) throws -> PackValues {
        guard case .device(let accelerator) = engine else { return body(model, batch) }
        let program = Program(name)
        var traced = batch
        traced.patches = program.input("patches", batch.patches.shape)
        let values = body(try PackModel(description, file, in: program), traced)
        for (name, tensor) in values.tensors { program.output("tensor/\(name)", tensor.detached()) }
        for (name, ids) in values.ids { program.output("ids/\(name)", ids) }
        let inputs = try accelerator.copies(of: model).merging(["patches": accelerator.copy(batch.patches)], uniquingKeysWith: { $1 })
        let results = try accelerator.compile(program.traced()).run(inputs)
        return PackValues(
            tensors: Dictionary(
                uniqueKeysWithValues: try values.tensors.keys.map { ($0, try results.tensor("tensor/\($0)")) }),
            ids: Dictionary(uniqueKeysWithValues: try values.ids.keys.map { ($0, try results.tokens("ids/\($0)")) }))
    }

    /// Sequences for the labels of the batch.
    func sample(_ settings: SamplerSettings) throws -> TokenTensor {
        guard case .device(let accelerator) = engine else {
            return Sampler(model.ar, settings).sample(labels: batch.labels.ids, seed: 0)
        }
        let program = SamplingProgram(model.ar.config, settings, count: batch.labels.count)
        let streams = program.streams(seed: 0, first: 0)
        var inputs = try accelerator.copies(of: model)
        inputs["labels"] = try accelerator.copy(batch.labels)
        inputs["scales"] = try accelerator.copy(program.scales)
        inputs["temperatures"] = try accelerator.copy(program.temperatures)
        inputs["sampler/key"] = try accelerator.copy(words: streams.key)
        inputs["sampler/steps"] = try accelerator.copy(words: streams.steps)
        return try accelerator.compile(program.traced).run(inputs).tokens("ids")
    }
}

extension Accelerator {
    /// Parameters as inputs of programs.
    fileprivate func copies(of model: PackModel) throws -> [String: Buffer] {
        var buffers: [String: Buffer] = [:]
        for (name, parameters) in model.optimized {
            for parameter in parameters { buffers["\(name)/value/\(parameter.name)"] = try copy(parameter.value) }
        }
        return buffers
    }
}
