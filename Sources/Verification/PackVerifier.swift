import Evaluation
import Files
import Foundation
import Models
import NN
import Settings
import TensorCore

/// Recomputes what a reference pack holds and compares key by key: forward values, gradients, sampling, training.
public enum PackVerifier {
    /// Tolerances of the packs (float32, any BLAS).
    private enum Tolerance {
        static let output = 1e-5
        static let gradient = 1e-4
        static let trainingLoss = 1e-4
        static let metric = 1e-6
    }

    /// Every check of one pack; `metrics` packs hold measures, all others a model with its JSON beside.
    public static func verify(_ url: URL) throws -> [PackCheck] {
        let file = try SafetensorsFile(reading: url)
        var comparison = PackComparison(file)
        if file.contains("fid_same") {
            try metrics(&comparison)
        } else {
            let description = try PackDescription(beside: url)
            let model = try PackModel(description, file)
            let batch = try Batch(description, file, model.tokenizer.config)
            try forward(model, batch, &comparison)
            try gradients(model, batch, &comparison)
            try sampling(model, batch, description, &comparison)
            try training(model, batch, &comparison)
        }
        return unchecked(&comparison)
    }

    /// Keys that nothing was compared with fail: a pack is either fully understood or not verified.
    private static func unchecked(_ comparison: inout PackComparison) -> [PackCheck] {
        let done = Set(comparison.checks.map(\.key))
        let inputs = ["io.images_uint8", "io.labels", "io.visual_dropped"]
        for key in comparison.file.names where !done.contains(key) && !inputs.contains(key) {
            let results = ["io.", "grad.", "sample.", "train."]
            if results.contains(where: key.hasPrefix) { comparison.add(key, false, "no value computed for this key") }
        }
        return comparison.checks
    }

    /// Inputs of a pack.
    private struct Batch {
        let patches: Tensor
        let labels: TokenTensor
        let dropped: [Bool]
        var count: Int { labels.count }

        init(_ description: PackDescription, _ file: SafetensorsFile, _ config: TokenizerConfig) throws {
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
            dropped = config.layout.hasPrologue ? try file.ints("io.visual_dropped").map { $0 != 0 } : []
        }
    }

    private static let weights: TokenizerLossSettings = {
        var weights = TokenizerLossSettings()
        weights.cePrologue = 3
        weights.ceVisual = 3
        return weights
    }()

    /// The AR model takes part in step A only where there is a prologue.
    private static func stepA(_ model: PackModel, _ batch: Batch, on tape: Tape) -> Tokenizer.StepA {
        model.tokenizer.stepA(
            patches: tape.constant(batch.patches), weights: weights,
            ar: model.tokenizer.config.layout.hasPrologue ? model.ar : nil, labels: batch.labels,
            visualDropped: batch.dropped)
    }

    private static func arInput(_ model: PackModel, _ batch: Batch, _ indices: TokenTensor) -> ARInput {
        ARInput(
            targets: model.tokenizer.config.layout.targets(indices), labels: batch.labels,
            visualDropped: batch.dropped)
    }

    private static func forward(_ model: PackModel, _ batch: Batch, _ c: inout PackComparison) throws {
        let config = model.tokenizer.config
        try c.values("io.patches", batch.patches.values, tolerance: Tolerance.output)
        let tape = Tape(differentiating: model.tokenizer.parameters)
        let step = stepA(model, batch, on: tape)
        let encoding = step.encoding
        try c.equal("io.indices", encoding.indices.ids)
        try c.values("io.visual_quant", encoding.visual.codes.values, tolerance: Tolerance.output)
        try entropies("io.visual_entropies", encoding.visual, &c)
        try c.values("io.visual_quant_loss", step.quantizer.values, tolerance: Tolerance.output)
        try c.values("io.l1", step.l1.values, tolerance: Tolerance.output)
        try c.values("io.l2", step.l2.values, tolerance: Tolerance.output)
        if let reconstruction = step.reconstruction {
            try c.values("io.recon_patches", reconstruction.values, tolerance: Tolerance.output)
            try c.values("io.recon_images", Patches.planes(reconstruction, config), tolerance: Tolerance.output)
        }
        if let prologue = encoding.prologue {
            try c.values("io.prologue_quant", prologue.codes.values, tolerance: Tolerance.output)
            try entropies("io.prologue_entropies", prologue, &c)
            try c.values(
                "io.prologue_one_hot_ste_value", oneHot(prologue.indices, config.prologueCodebook),
                tolerance: Tolerance.output)
        }
        let input = arInput(model, batch, encoding.indices)
        try c.equal("io.ar_targets", input.targets.ids)
        let logits = model.ar(input, on: nil)
        try c.values("io.ar_logits", logits.values, tolerance: Tolerance.output)
        let parts =
            step.crossEntropy
            ?? SegmentedCrossEntropy(crossEntropy(logits, targets: input.targets), layout: config.layout)
        if config.layout.hasPrologue {
            try c.values(
                "io.ce_prologue_eos_visual", [parts.prologue.scalar, parts.eos.scalar, parts.visual.scalar],
                tolerance: Tolerance.output)
        } else {
            try c.values("io.ce_visual", [parts.visual.scalar], tolerance: Tolerance.output)
        }
        try c.values("io.loss_encoder_step", step.total.values, tolerance: Tolerance.output)
        try c.values(
            "io.loss_ar_step", model.ar.meanCrossEntropy(input, on: nil).values, tolerance: Tolerance.output)
    }

    private static func entropies(_ key: String, _ quantized: Quantized, _ c: inout PackComparison) throws {
        guard let similarities = quantized.similarities else { return c.add(key, false, "codes were not compared") }
        let entropy = AssignmentEntropy(similarities, scale: 100)
        try c.values(
            key, [entropy.sample, entropy.batch, entropy.loss].map(Float.init), tolerance: Tolerance.output)
    }

    private static func oneHot(_ indices: TokenTensor, _ codes: Int) -> [Float] {
        var values = [Float](repeating: 0, count: indices.count * codes)
        for (i, id) in indices.ids.enumerated() { values[i * codes + Int(id)] = 1 }
        return values
    }

    private static func gradients(_ model: PackModel, _ batch: Batch, _ c: inout PackComparison) throws {
        let tape = Tape(differentiating: model.tokenizer.parameters)
        let step = stepA(model, batch, on: tape)
        tape.backward(from: step.total)
        for group in model.groups.prefix(2) { try compareGradients(group, tape, &c) }
        let arTape = Tape(differentiating: model.ar.parameters)
        let input = arInput(model, batch, step.encoding.indices)
        arTape.backward(from: model.ar.meanCrossEntropy(input, on: arTape))
        try compareGradients(model.groups[2], arTape, &c)
    }

    private static func compareGradients(
        _ group: (prefix: String, parameters: [Parameter]), _ tape: Tape, _ c: inout PackComparison
    ) throws {
        for parameter in group.parameters {
            let key = "grad.\(group.prefix)\(parameter.name)"
            // Packs leave out what no gradient reaches.
            guard c.file.contains(key) else { continue }
            let gradient = tape.gradient(of: parameter) ?? .zeros(parameter.shape)
            try c.values(key, gradient.values, tolerance: Tolerance.gradient)
        }
    }

    private static func sampling(
        _ model: PackModel, _ batch: Batch, _ description: PackDescription, _ c: inout PackComparison
    ) throws {
        let layout = model.tokenizer.config.layout
        for (name, sampling) in description.sampling.sorted(by: { $0.key < $1.key }) {
            let key = "sample.\(name).tokens"
            guard c.file.contains(key) else { continue }
            let ids = Sampler(model.ar, try sampling.settings(c.file.url.path)).sample(labels: batch.labels.ids, seed: 0)
            try c.equal(key, ids.ids)
            if c.file.contains("sample.\(name).images") {
                let codes = model.tokenizer.encoder.visualCodes(layout.visualIndices(ids))
                try c.values(
                    "sample.\(name).images", Patches.planes(model.tokenizer.decoder(codes), model.tokenizer.config),
                    tolerance: Tolerance.output)
            }
        }
    }

    /// Repeats the pack's short training: A, B, A, B, … with a prologue, A alone without.
    private static func training(_ model: PackModel, _ batch: Batch, _ c: inout PackComparison) throws {
        guard c.file.contains("train.losses") else { return }
        let alternates = model.tokenizer.config.layout.hasPrologue
        let autoencoder = AdamW(model.tokenizer.parameters, .init(beta1: 0, beta2: 0.99))
        let prior = AdamW(model.ar.parameters, .init(beta1: 0.9, beta2: 0.99, weightDecay: 1))
        var losses: [Double] = []
        var indices: [Int32] = []
        var last: TokenTensor?
        for index in 0..<(try c.file.doubles("train.losses").count) {
            if alternates, index % 2 == 1, let last {
                let tape = Tape(differentiating: model.ar.parameters)
                let loss = model.ar.meanCrossEntropy(arInput(model, batch, last), on: tape)
                tape.backward(from: loss)
                prior.step(tape, rate: 1e-3)
                losses.append(Double(loss.scalar))
            } else {
                let tape = Tape(differentiating: model.tokenizer.parameters)
                let step = stepA(model, batch, on: tape)
                tape.backward(from: step.total)
                autoencoder.step(tape, rate: 1e-3)
                losses.append(Double(step.total.scalar))
                last = step.encoding.indices
                indices += step.encoding.indices.ids
            }
        }
        try c.relative("train.losses", losses, tolerance: Tolerance.trainingLoss)
        try c.equal("train.indices", indices)
        for group in model.groups {
            for parameter in group.parameters where c.file.contains("train.final.\(group.prefix)\(parameter.name)") {
                try c.mostly("train.final.\(group.prefix)\(parameter.name)", parameter.value.values)
            }
        }
    }
}
