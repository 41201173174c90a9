import Files
import Models
import NN
import RunStore
import Settings
import TensorCore

/// The networks that stage 1 trains, each with its optimiser, and the codebooks whose dead codes begin anew.
struct TokenizerNetworks {
    let config: TokenizerConfig
    let tokenizer: Tokenizer
    /// Of what step A trains: all of the tokenizer, or on a frozen visual path the prologue's own parameters.
    let autoencoder: AdamW
    /// The AR model of step B, with its optimiser.
    let joint: (model: ARModel, optimizer: AdamW)?
    let adversary: Adversary?
    private let visualRestart, prologueRestart: CodeRestart?

    /// - Parameter base: averaged weights of the frozen 2D tokenizer that `prologue-post` builds on.
    init(_ settings: TokenizerSettings, prior: PriorSettings, dataset: Dataset, base: SafetensorsFile?, seed: Int) throws {
        let training = settings.training
        config = TokenizerConfig(settings, for: dataset)
        tokenizer = Tokenizer(config, seed: seed)
        if let base { try Self.loadFrozen(tokenizer, from: base) }
        autoencoder = AdamW(
            base == nil ? tokenizer.parameters : tokenizer.encoder.prologueParameters, training.optimizer,
            averageHalfLife: training.emaHalfLife)
        joint = ARConfig(with: settings, prior: prior, layout: config.layout, classes: dataset.classes).map {
            let model = ARModel($0, stream: RandomStream(seed: seed, "joint-ar/initial"))
            return (model, AdamW(model.parameters, settings.jointOptimizer(prior), averageHalfLife: settings.jointHalfLife))
        }
        adversary = Self.adversary(settings, channels: dataset.channels, seed: seed)

        // The codes of a frozen visual path are left alone.
        let codebooks = tokenizer.encoder.codebooks
        func restart(_ codebook: Parameter?, _ patience: Int?) -> CodeRestart? {
            codebook.flatMap { codebook in patience.map { CodeRestart(codebook, patience: $0) } }
        }
        visualRestart = restart(base == nil ? codebooks.visual : nil, settings.visualRestart)
        prologueRestart = restart(codebooks.prologue, settings.prologueRestart)
    }

    /// The discriminator with the tokenizer's optimiser, at a rate of its own and without averages.
    private static func adversary(_ settings: TokenizerSettings, channels: Int, seed: Int) -> Adversary? {
        guard settings.usesAdversary else { return nil }
        let discriminator = PatchDiscriminator(
            channels: channels, width: settings.gan.width, layers: settings.gan.layers,
            stream: RandomStream(seed: seed, "discriminator/initial"))
        return Adversary(
            discriminator, settings.gan,
            optimizer: AdamW(discriminator.parameters, settings.training.optimizer.with(weightDecay: settings.gan.weightDecay)))
    }

    /// Fills everything but the prologue's own parameters with the base tokenizer's.
    private static func loadFrozen(_ tokenizer: Tokenizer, from base: SafetensorsFile) throws {
        let own = Set(tokenizer.encoder.prologueParameters.map(\.name))
        let visual = tokenizer.encoder.parameters.filter { !own.contains($0.name) }
        try ParameterFiles.load(visual, from: base, prefix: "encoder.")
        try ParameterFiles.load(tokenizer.decoder.parameters, from: base, prefix: "decoder.")
    }

    /// By the names that they have in checkpoints.
    var optimizers: [(name: String, optimizer: AdamW)] {
        [("autoencoder", autoencoder)] + (joint.map { [("joint", $0.optimizer)] } ?? [])
            + (adversary.map { [("discriminator", $0.optimizer)] } ?? [])
    }

    /// What steps change beside what optimisers hold.
    var state: [(name: String, tensor: Tensor)] {
        (adversary?.state ?? [])
            + [("restart/visual", visualRestart), ("restart/prologue", prologueRestart)].compactMap { name, restart in
                restart.map { (name, $0.idle) }
            }
    }

    /// Whether any codes may begin anew.
    var restartsCodes: Bool { visualRestart != nil || prologueRestart != nil }

    /// Begins codes anew that have gone out of use; returns how many, by the columns of the metrics.
    func restartCodes(_ codes: [TokenizerReport.Codes], seed: Int, step: Int) throws -> [String: Float] {
        var counts: [String: Float] = [:]
        for used in codes {
            guard let restart = used.name == "visual" ? visualRestart : prologueRestart else { continue }
            let stream = RandomStream(seed: seed, "tokenizer/restart-\(used.name)", step: step)
            counts["\(used.name)_restarts"] = Float(try restart(used.indices, points: used.points, autoencoder, stream: stream))
        }
        return counts
    }

    /// Trained values, and the averages that everything downstream reads.
    func save(to work: StageWork) throws {
        let groups =
            [("encoder.", tokenizer.encoder.parameters), ("decoder.", tokenizer.decoder.parameters)]
            + (joint.map { [("ar.", $0.model.parameters)] } ?? [])
        // A discriminator has no averages.
        let discriminator = adversary.map { [("discriminator.", $0.discriminator.parameters + $0.discriminator.buffers)] } ?? []
        try ParameterFiles.save(groups + discriminator, to: work.url(WeightFile.trained))
        try autoencoder.withAverages {
            try (joint?.optimizer.withAverages ?? { try $0() }) {
                try ParameterFiles.save(groups, to: work.url(WeightFile.averaged))
            }
        }
    }
}
