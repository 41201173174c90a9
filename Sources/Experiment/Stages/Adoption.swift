import Files
import Foundation
import RunStore

/// What adopting a tokenizer and adopting an AR model have in common.
enum Adoption {
    /// Settings of training, which an imported checkpoint says nothing of.
    static let trainingKeys: Set<String> = [
        "steps", "batch", "optimizer", "ema_half_life", "flip", "crop", "crop_min", "loss", "commitment", "visual_dropout",
        "entropy_temperature", "visual_restart", "prologue_restart", "gan", "perceptual",
    ]

    /// The one complete stage of `kind` whose id begins with `source`; nil where `source` does not look like an id.
    static func stage(_ source: String, kind: String, in store: Store) throws -> String? {
        guard source.hasPrefix("\(kind)-"), !FileManager.default.fileExists(atPath: source) else { return nil }
        let ids = try store.stageIDs().filter { try $0.hasPrefix("\(kind)-") && store.stage(id: $0).isComplete }
        let matches = ids.filter { $0.hasPrefix(source) }
        if matches.count == 1 { return matches[0] }
        let hint = nearest(to: source, among: ids).map { "; did you mean \($0)?" } ?? ""
        throw InputError(
            matches.isEmpty
                ? "\(kind).from: no finished stage '\(source)' in \(store.directory.path)\(hint)"
                : "\(kind).from: '\(source)' begins the ids of \(matches.count) stages: \(matches.prefix(4).joined(separator: ", "))")
    }

    static func folder(_ source: String, key: String) throws -> URL {
        guard FileManager.default.fileExists(atPath: source) else {
            throw InputError("\(key) is '\(source)', which is neither a stage's id nor a folder that is there")
        }
        return URL(fileURLWithPath: source)
    }

    static func identity(of id: String, in store: Store) throws -> StageIdentity {
        guard let record = try store.stage(id: id).record else {
            throw InputError("stage \(id) is not complete in \(store.directory.path)")
        }
        return record.identity
    }

    /// Copies the weights of a released checkpoint into the stage's folder.
    static func perform(
        _ models: ReleasedModels?, _ identity: StageIdentity, _ work: StageWork, _ context: ExperimentContext
    ) throws -> JSONValue {
        guard let models else { throw InputError("stage \(identity.id) is not complete, and nothing says what to make it from") }
        context.progress.note("import: \(models.kind.rawValue) from \(models.url.path)")
        try models.store(in: work.url)
        let parameters = try models.all.first.map { _ in
            try models.networks.reduce(0) { sum, network in
                guard let file = models.weights == .raw ? network.raw : network.averaged else { return sum }
                return try sum + file.names.values.reduce(0) { try $0 + file.file.shape($1).reduce(1, *) }
            }
        }
        return ["imported": .string(models.url.lastPathComponent), "parameters": .int(parameters ?? 0)]
    }
}
