import Evaluation
import Files
import Foundation
import Models
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
    ///
    /// - Parameter engine: where the model is computed; measures are not.
    public static func verify(_ url: URL, on engine: PackEngine = .kernels) throws -> [PackCheck] {
        let file = try SafetensorsFile(reading: url)
        var comparison = PackComparison(file)
        if file.contains("fid_same") {
            try metrics(&comparison)
        } else {
            let description = try PackDescription(beside: url)
            let model = try PackModel(description, file)
            let computation = PackComputation(
                engine: engine, description: description, file: file, model: model,
                batch: try PackBatch(file, model.tokenizer.config))
            try forward(computation, &comparison)
            try gradients(computation, &comparison)
            try sampling(computation, &comparison)
            try training(computation, &comparison)
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

    private static func forward(_ compute: PackComputation, _ c: inout PackComparison) throws {
        let config = compute.model.tokenizer.config
        try c.values("io.patches", compute.batch.patches.values, tolerance: Tolerance.output)
        let values = try compute("pack_forward") { model, batch in model.forward(batch) }
        func numbers(_ name: String) -> [Float] { values.tensors[name]?.values ?? [] }
        try c.equal("io.indices", values.ids["indices"]?.ids ?? [])
        try c.values("io.visual_quant", numbers("visual codes"), tolerance: Tolerance.output)
        try entropies("io.visual_entropies", values.tensors["visual similarities"], &c)
        for (key, name) in [("io.visual_quant_loss", "quantizer"), ("io.l1", "l1"), ("io.l2", "l2")] {
            try c.values(key, numbers(name), tolerance: Tolerance.output)
        }
        if let reconstruction = values.tensors["reconstruction"] {
            try c.values("io.recon_patches", reconstruction.values, tolerance: Tolerance.output)
            try c.values("io.recon_images", Patches.planes(reconstruction, config), tolerance: Tolerance.output)
        }
        if let indices = values.ids["prologue indices"] {
            try c.values("io.prologue_quant", numbers("prologue codes"), tolerance: Tolerance.output)
            try entropies("io.prologue_entropies", values.tensors["prologue similarities"], &c)
            try c.values(
                "io.prologue_one_hot_ste_value", oneHot(indices, config.prologueCodebook), tolerance: Tolerance.output)
        }
        try c.equal("io.ar_targets", values.ids["targets"]?.ids ?? [])
        try c.values("io.ar_logits", numbers("logits"), tolerance: Tolerance.output)
        if config.layout.hasPrologue {
            try c.values(
                "io.ce_prologue_eos_visual", ["ce prologue", "ce eos", "ce visual"].flatMap(numbers), tolerance: Tolerance.output)
        } else {
            try c.values("io.ce_visual", numbers("ce visual"), tolerance: Tolerance.output)
        }
        try c.values("io.loss_encoder_step", numbers("encoder step"), tolerance: Tolerance.output)
        try c.values("io.loss_ar_step", numbers("ar step"), tolerance: Tolerance.output)
    }

    private static func entropies(_ key: String, _ similarities: Tensor?, _ c: inout PackComparison) throws {
        guard let similarities else { return c.add(key, false, "codes were not compared") }
        let entropy = AssignmentEntropy(similarities, scale: AssignmentEntropy.reportedScale)
        try c.values(
            key, [entropy.sample, entropy.batch, entropy.loss].map(Float.init), tolerance: Tolerance.output)
    }

    private static func oneHot(_ indices: TokenTensor, _ codes: Int) -> [Float] {
        var values = [Float](repeating: 0, count: indices.count * codes)
        for (i, id) in indices.ids.enumerated() { values[i * codes + Int(id)] = 1 }
        return values
    }

    private static func gradients(_ compute: PackComputation, _ c: inout PackComparison) throws {
        let file = c.file
        let values = try compute("pack_gradients") { model, batch in
            // Packs leave out what no gradient reaches.
            model.gradients(batch) { file.contains("grad.\($0)") }
        }
        for (name, gradient) in values.tensors.sorted(by: { $0.key < $1.key }) {
            try c.values("grad.\(name)", gradient.values, tolerance: Tolerance.gradient)
        }
    }

    private static func sampling(_ compute: PackComputation, _ c: inout PackComparison) throws {
        let config = compute.model.tokenizer.config
        for (name, sampling) in compute.description.sampling.sorted(by: { $0.key < $1.key }) {
            let key = "sample.\(name).tokens"
            guard c.file.contains(key) else { continue }
            let ids = try compute.sample(sampling.settings(c.file.url.path))
            try c.equal(key, ids.ids)
            if c.file.contains("sample.\(name).images") {
                let images = try compute("pack_images") { model, _ in
                    let codes = model.tokenizer.encoder.visualCodes(config.layout.visualIndices(ids))
                    return PackValues(tensors: ["images": model.tokenizer.decoder(codes)])
                }
                try c.values(
                    "sample.\(name).images", images.tensors["images"].map { Patches.planes($0, config) } ?? [],
                    tolerance: Tolerance.output)
            }
        }
    }

    /// Repeats the pack's short training: A, B, A, B, … with a prologue, A alone without.
    private static func training(_ compute: PackComputation, _ c: inout PackComparison) throws {
        guard c.file.contains("train.losses") else { return }
        let alternates = compute.model.tokenizer.config.layout.hasPrologue
        let training = try PackTraining(compute)
        var losses: [Double] = []
        var indices: [Int32] = []
        var last: TokenTensor?
        for index in 0..<(try c.file.doubles("train.losses").count) {
            if alternates, index % 2 == 1, let last {
                losses.append(Double(try training.stepB(last)))
            } else {
                let step = try training.stepA()
                losses.append(Double(step.loss))
                last = step.indices
                indices += step.indices.ids
            }
        }
        try training.finish()
        try c.relative("train.losses", losses, tolerance: Tolerance.trainingLoss)
        try c.equal("train.indices", indices)
        for group in compute.model.groups {
            for parameter in group.parameters where c.file.contains("train.final.\(group.prefix)\(parameter.name)") {
                try c.mostly("train.final.\(group.prefix)\(parameter.name)", parameter.value.values)
            }
        }
    }
}
