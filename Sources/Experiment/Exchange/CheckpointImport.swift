import Files
import Foundation
import Models
import RunStore
import Settings

/// What `ExperimentContext.importCheckpoint` made, or found made already.
public struct ImportedCheckpoint: Sendable {
    public struct Stage: Sendable {
        public let role, id: String
        public let isReused: Bool
        /// Numbers in its networks.
        public let parameters: Int
        /// Its sizes in a few words.
        public let description: String
    }

    public fileprivate(set) var stages: [Stage] = []
    /// The run that samples are drawn from, where there is an AR model.
    public fileprivate(set) var run: String?
    /// What was left out.
    public fileprivate(set) var notes: [String] = []
}

/// Copies a released checkpoint into the store.
private struct ImportStage: Stage {
    let role: String
    let identity: StageIdentity
    let work: (StageWork, ExperimentContext) throws -> JSONValue

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue { try self.work(work, context) }
}

extension ExperimentContext {
    /// Registers the released checkpoint at `url` (method §3.13) as stages: a tokenizer folder, an AR folder, or a folder with
    /// both as `tokenizer` and `prior`. With both models there is a run too, which can be sampled.
    ///
    /// - Parameters:
    ///   - raw: take the weights that training left, not their average.
    ///   - tokenizer: for an AR folder: whose tokens it makes, a stage's id or a folder.
    /// - Throws: `InputError` naming file and tensor where anything is missing, left over or misshapen.
    public func importCheckpoint(
        _ url: URL, name: String?, raw: Bool, hints: ImportHints, tokenizer given: String?
    ) throws -> ImportedCheckpoint {
        var result = ImportedCheckpoint()
        let parts = ["tokenizer", "prior"].map { url.appendingPathComponent($0) }
        let isPair = parts.allSatisfy { FileManager.default.fileExists(atPath: $0.path) }
        let isPrior = try !isPair && ReleasedModels(reading: url, weights: raw ? .raw : .ema).kind == .prior

        let tokenizer: AdoptedTokenizer
        if isPrior {
            guard let given else {
                throw InputError(
                    file: url.path, "holds an AR model; whose tokens does it make? --tokenizer names a tokenizer's stage or folder")
            }
            tokenizer = try AdoptedTokenizer(given, hints: hints, in: store)
        } else {
            guard given == nil else { throw InputError(file: url.path, "has a tokenizer of its own, so --tokenizer has no use") }
            tokenizer = try AdoptedTokenizer(released: isPair ? parts[0] : url, raw: raw, hints: hints)
        }
        result.add(tokenizer.models?.notes)
        let stage = try perform(ImportStage(role: "tokenizer", identity: tokenizer.identity, work: tokenizer.perform))
        result.add("tokenizer", stage, tokenizer.settings.summary)

        var settings = RunSettings()
        settings.data.set = .none
        settings.tokenizer.from = tokenizer.identity.id
        settings.sampling.settings = [:]
        if isPair || isPrior {
            guard let imageSize = tokenizer.imageSize ?? hints.imageSize else {
                throw InputError("\(tokenizer.identity.id) was trained here; --image-size says for which images")
            }
            let layout = TokenizerConfig(tokenizer.settings, imageSize: imageSize, channels: 1, labels: 1).layout
            let prior = try AdoptedPrior(
                released: isPair ? parts[1] : url, raw: raw, hints: hints, tokenizer: tokenizer.identity.id, layout: layout)
            result.add(prior.models?.notes)
            let stage = try perform(ImportStage(role: "prior", identity: prior.identity, work: prior.perform))
            result.add("prior", stage, prior.settings.summary)
            settings.prior.from = prior.identity.id
        }
        let hasPrior = settings.prior.from != nil || tokenizer.settings.variant.joint == .prior
        let run = try record(
            settings, result.stages, canBeSampled: hasPrior && tokenizer.imageSize != nil, name: name ?? Self.name(of: url))
        if hasPrior, tokenizer.imageSize != nil { result.run = run }
        return result
    }

    /// `tokenizer` and `prior` are what folders of a checkpoint are called, not the checkpoint.
    private static func name(of url: URL) -> String {
        let url = url.standardizedFileURL
        let last = url.deletingPathExtension().lastPathComponent
        return ["tokenizer", "prior"].contains(last) ? url.deletingLastPathComponent().lastPathComponent : last
    }

    /// Keeps a finished run of these models, which is also what refers to them.
    private func record(
        _ given: RunSettings, _ imported: [ImportedCheckpoint.Stage], canBeSampled: Bool, name: String
    ) throws -> String {
        var (config, ids) = (given, Dictionary(imported.map { ($0.role, $0.id) }) { $1 })
        if canBeSampled {
            let plan = try RunPlan(given, self)
            for stage in plan.stages { _ = try perform(stage) }
            (config, ids) = (plan.settings, plan.stageIDs)
        }
        let record = RunRecord(
            sweep: "imported", cell: name, seed: 0, seeds: ["tokenizer": 0, "prior": 0, "sampler": 0],
            config: config.json, stages: ids, codeVersion: code, machine: machine)
        let index = IndexFollower(store, progress)
        try store.save(record)
        try store.setStatus(Status(.done, step: ids.count, of: ids.count), ofRun: record.id)
        index.refresh(run: record.id)
        return record.id
    }
}

extension ImportedCheckpoint {
    fileprivate mutating func add(_ notes: [String]?) { self.notes += notes ?? [] }

    fileprivate mutating func add(_ role: String, _ result: Store.StageResult, _ description: String) {
        stages.append(
            Stage(
                role: role, id: result.stage.id, isReused: result.isReused,
                parameters: result.record.summary["parameters"]?.intValue ?? 0, description: description))
    }
}

extension TokenizerSettings {
    fileprivate var summary: String {
        let decoder = decoderSize
        let prologue = variant.hasPrologue ? ", \(prologueTokens) prologue tokens of \(prologueCodebook) codes" : ""
        return "\(variant.rawValue), encoder \(layers)×\(dim), decoder \(decoder.layers)×\(decoder.dim), patches of \(patch), "
            + "\(codebook) visual codes\(prologue), rope axes \(ropeAxes)"
    }
}

extension PriorSettings {
    fileprivate var summary: String {
        "\(layers)×\(dim), \(heads) heads, \(tied ? "tied" : "untied") head, rope axes \(ropeAxes)"
    }
}
