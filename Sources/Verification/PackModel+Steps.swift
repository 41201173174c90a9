import Files
import Models
import NN
import Settings
import TensorCore

/// What is made of a pack's model and batch. Every function computes, or traces where the model does.
extension PackModel {
    private static let weights: TokenizerLossSettings = {
        var weights = TokenizerLossSettings()
        weights.cePrologue = 3
        weights.ceVisual = 3
        return weights
    }()

    /// The AR model takes part in step A only where there is a prologue.
    func stepA(_ batch: PackBatch, on tape: Tape) -> Tokenizer.StepA {
        tokenizer.stepA(
            patches: tape.constant(batch.patches), weights: Self.weights, ar: tokenizer.config.layout.hasPrologue ? ar : nil,
            labels: batch.labels, visualDropped: batch.dropped)
    }

    /// Step B's loss, on `tape`.
    func stepB(_ batch: PackBatch, _ indices: TokenTensor, on tape: Tape?) -> Tensor {
        ar.meanCrossEntropy(arInput(batch, indices), on: tape)
    }

    private func arInput(_ batch: PackBatch, _ indices: TokenTensor) -> ARInput {
        ARInput(targets: tokenizer.config.layout.targets(indices), labels: batch.labels, visualDropped: batch.dropped)
    }

    func forward(_ batch: PackBatch) -> PackValues {
        let step = stepA(batch, on: Tape(differentiating: tokenizer.parameters))
        let (visual, prologue) = (step.encoding.visual, step.encoding.prologue)
        let input = arInput(batch, step.encoding.indices)
        let logits = ar(input, on: nil)
        let parts =
            step.crossEntropy
            ?? SegmentedCrossEntropy(crossEntropy(logits, targets: input.targets), layout: tokenizer.config.layout)
        let tensors: [String: Tensor?] = [
            "visual codes": visual.codes, "visual similarities": visual.similarities, "prologue codes": prologue?.codes,
            "prologue similarities": prologue?.similarities, "quantizer": step.quantizer, "l1": step.l1, "l2": step.l2,
            "reconstruction": step.reconstruction, "logits": logits, "ce prologue": parts.prologue, "ce eos": parts.eos,
            "ce visual": parts.visual, "encoder step": step.total, "ar step": ar.meanCrossEntropy(input, on: nil),
        ]
        let ids = ["indices": step.encoding.indices, "prologue indices": prologue?.indices, "targets": input.targets]
        return PackValues(tensors: tensors.compactMapValues { $0 }, ids: ids.compactMapValues { $0 })
    }

    /// Gradients of step A and B by the names of their parameters in the pack, of those that are `wanted`.
    func gradients(_ batch: PackBatch, wanted: (String) -> Bool) -> PackValues {
        let tape = Tape(differentiating: tokenizer.parameters)
        let step = stepA(batch, on: tape)
        tape.backward(from: step.total)
        let arTape = Tape(differentiating: ar.parameters)
        arTape.backward(from: stepB(batch, step.encoding.indices, on: arTape))
        var values = PackValues()
        for (group, tape) in zip(groups, [tape, tape, arTape]) {
            for parameter in group.parameters where wanted(group.prefix + parameter.name) {
                values.tensors[group.prefix + parameter.name] = tape.gradient(of: parameter) ?? .zeros(parameter.shape)
            }
        }
        return values
    }
}

extension PackBatch {
    init(_ file: SafetensorsFile, _ config: TokenizerConfig) throws {
        let images = try file.ints("io.images_uint8").map { Float($0) / 127.5 - 1 }
        let shape = try file.shape("io.images_uint8")
        guard shape.count == 4, shape[1] == config.channels, shape[2] == config.imageSize, shape[3] == shape[2]
        else {
            throw InputError(
                file: file.url.path,
                "io.images_uint8 has shape \(shape), expected [batch, \(config.channels), \(config.imageSize), \(config.imageSize)]")
        }
        patches = Patches.fromPlanes(images, batch: shape[0], config)
        labels = TokenTensor(try file.ints("io.labels").map(Int32.init), shape: [shape[0]])
        // Without EOS there is nothing to put in a dropped token's place.
        dropped = config.layout.hasPrologue ? TokenTensor(flags: try file.ints("io.visual_dropped").map { $0 != 0 }) : nil
    }
}
