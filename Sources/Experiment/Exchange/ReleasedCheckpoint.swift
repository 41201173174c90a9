import Files
import Foundation
import RunStore

/// The folders that released checkpoints come in (method §3.13): one file a network, parameters under their names
/// without the network's prefix, averages in files of their own.
enum ReleasedCheckpoint {
    struct Part {
        let file: String
        /// What our own files put before the names.
        let prefix: String
        let isAveraged: Bool
    }

    static let tokenizer = [
        Part(file: "model.safetensors", prefix: "encoder.", isAveraged: false),
        Part(file: "model_1.safetensors", prefix: "decoder.", isAveraged: false),
        Part(file: "model_2.safetensors", prefix: "encoder.", isAveraged: true),
        Part(file: "model_3.safetensors", prefix: "decoder.", isAveraged: true),
        Part(file: "model_4.safetensors", prefix: "discriminator.", isAveraged: false),
        Part(file: "model_5.safetensors", prefix: "ar.", isAveraged: false),
        Part(file: "model_6.safetensors", prefix: "ar.", isAveraged: true),
    ]

    static let prior = [
        Part(file: "model.safetensors", prefix: "ar.", isAveraged: false),
        Part(file: "model_1.safetensors", prefix: "ar.", isAveraged: true),
    ]

    /// The entry of a file's metadata that says what its tensors do not: axes, temperatures, image size.
    static let metadataKey = "prologue"

    /// Writes the files of `parts` that the weights of a stage have parameters for.
    ///
    /// - Parameters:
    ///   - stage: the folder with the stage's weights.
    ///   - notes: what importing cannot read off the tensors.
    static func write(_ parts: [Part], of stage: StageHandle, notes: JSONValue, to folder: URL) throws {
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw InputError(file: folder.path, cannot: "make this folder", because: error)
        }
        for part in parts {
            let file = part.isAveraged ? WeightFile.averaged : WeightFile.trained
            // The prior of `prologue-onestage` is an average of the tokenizer's joint AR model, and has no other weights.
            guard try isPresent(stage.url(file)) else { continue }
            let weights = try SafetensorsFile(reading: stage.verified(file))
            let names = weights.names.filter { $0.hasPrefix(part.prefix) }
            // A tokenizer without a discriminator or a joint AR model has no such files.
            if names.isEmpty { continue }
            let tensors = try names.map { (name: String($0.dropFirst(part.prefix.count)), shape: try weights.shape($0)) }
            try SafetensorsFile.write(
                float32: tensors, metadata: [metadataKey: notes.canonical], to: folder.appendingPathComponent(part.file)
            ) { try weights.streamedFloats(names[$0]) }
        }
    }
}

extension RunPlan {
    /// Writes the networks of a finished run to `folder/tokenizer` and `folder/prior`, laid out as released checkpoints.
    /// - Throws: `InputError` if tokenizer or prior are not trained, or a file cannot be written.
    public func exportCheckpoint(to folder: URL, _ context: ExperimentContext) throws {
        let tokenizer = prior.tokenizer
        let parts: [(folder: String, stage: any Stage, notes: JSONValue, parts: [ReleasedCheckpoint.Part])] = [
            ("tokenizer", tokenizer, tokenizer.notes, ReleasedCheckpoint.tokenizer),
            ("prior", prior, ["prior": prior.settings.networkIdentity], ReleasedCheckpoint.prior),
        ]
        for (name, stage, _, _) in parts where try !context.store.stage(stage.identity).isComplete {
            throw InputError("the run's \(name) is not trained; 'prologue sweep run' trains it")
        }
        for (name, stage, notes, parts) in parts {
            try ReleasedCheckpoint.write(
                parts, of: context.store.stage(stage.identity), notes: notes, to: folder.appendingPathComponent(name))
        }
    }
}
