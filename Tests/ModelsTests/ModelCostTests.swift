import Files
import Foundation
import Models
import NN
import Settings
import TensorCore
import TestSupport
import Testing

/// Costs that are worked out from sizes, against models that are built and products that PyTorch counts.
@Suite struct ModelCostTests {
    private static func tokenizer(
        _ visual: TokenizerConfig.Visual, _ prologue: TokenizerConfig.Prologue,
        _ change: (inout TokenizerConfig) -> Void = { _ in }
    ) -> TokenizerConfig {
        var config = TokenizerConfig(
            visual: visual, prologue: prologue, imageSize: 32, channels: 3, patch: 4,
            encoder: .init(width: 64, layers: 2, heads: 2, axes: [8, 12, 12]),
            decoder: .init(width: 96, layers: 3, heads: 3, axes: [8, 12, 12]), codeWidth: 8, codebook: 128,
            prologueTokens: 4, prologueCodebook: 32, labels: 6)
        config.condDim = 16
        change(&config)
        return config
    }

    private static let tokenizers: [(String, TokenizerConfig)] = [
        ("2d", tokenizer(.grid, .none)), ("1d", tokenizer(.latent, .none)), ("prologue", tokenizer(.grid, .shared)),
        ("post", tokenizer(.grid, .separate(layers: 3))),
        (
            "lfq, fsq",
            tokenizer(.grid, .shared) {
                $0.settings.visualQuantizer = .lfq
                $0.settings.prologueQuantizer = .fsq
                ($0.settings.prologueLevels, $0.settings.prologueCodebook) = ([4, 3, 5], 60)
            }
        ),
        (
            "gumbel, probq",
            tokenizer(.grid, .shared) {
                ($0.settings.visualQuantizer, $0.settings.prologueQuantizer) = (.gumbel, .vq)
            }
        ),
    ]

    @Test(arguments: tokenizers.indices)
    func tokenizersHaveTheParametersThatAreWorkedOut(_ index: Int) {
        let (name, config) = Self.tokenizers[index]
        let built = Tokenizer(config, seed: 0)
        let cost = config.cost()
        #expect(cost.parameters == built.parameters.reduce(0) { $0 + $1.count }, "\(name)")
        #expect(cost.decoder.parameters == built.decoder.parameters.reduce(0) { $0 + $1.count }, "\(name)")
        let own = config.prologue == .shared ? 0 : built.encoder.prologueParameters.reduce(0) { $0 + $1.count }
        if config.prologue != .shared { #expect(cost.prologue.parameters == own, "\(name)") }
    }

    @Test(arguments: [(0, true, false), (4, true, false), (4, false, true), (16, true, true)])
    func priorsHaveTheParametersThatAreWorkedOut(_ prologueTokens: Int, _ hasEOS: Bool, _ isTied: Bool) {
        let layout = SequenceLayout(
            prologueTokens: prologueTokens, visualTokens: 16, visualCodes: 64, prologueCodes: 24, hasEOS: hasEOS)
        var config = ARConfig(
            layout: layout, network: .init(width: 48, layers: 3, heads: 4, axes: [4, 4, 4]), labels: 11)
        config.tied = isTied
        let built = ARModel(config, stream: RandomStream(seed: 0, "test"))
        #expect(config.cost.parameters == built.parameters.reduce(0) { $0 + $1.count })
    }

    @Test func imageNetworksHaveTheParametersThatAreWorkedOut() {
        let stream = RandomStream(seed: 0, "test")
        let discriminator = PatchDiscriminator(channels: 3, width: 16, layers: 3, stream: stream)
        let cost = PatchDiscriminator.cost(imageSize: 64, channels: 3, width: 16, layers: 3, isFirst: true)
        #expect(cost.parameters == discriminator.parameters.reduce(0) { $0 + $1.count })
        let classifier = ImageClassifier(.init(imageSize: 36, channels: 1, outputs: 7, width: 8, features: 20), parameters: .random(stream))
        let own = ImageClassifier.cost(imageSize: 36, channels: 1, classes: 7, width: 8, features: 20)
        #expect(own.parameters == classifier.parameters.reduce(0) { $0 + $1.count })
    }

    // MARK: FLOPs

    /// What PyTorch's `FlopCounterMode` counts on the twin, for a batch of `batch` images.
    private func counted(_ name: String, _ batch: Int) throws -> [String: Double] {
        let reference = packageRoot.appendingPathComponent("Tests/reference")
        let script = """
            import sys, json, torch
            sys.path.insert(0, sys.argv[1])
            from torch.utils.flop_counter import FlopCounterMode
            from torch.nn.attention import sdpa_kernel, SDPBackend
            from tokenizer import Sizes, Encoder, Decoder
            from prior import Prior
            from training import step_a, step_b, frozen
            sizes = Sizes(tokenizer=sys.argv[2], dim=64, heads=2, layers=2, axes=[8, 12, 12], img=32, ch=3, patch=4, vis=128,
                          sem=32, zlen=4, zdim=8, classes=6, ar_dim=64, ar_heads=2, ar_layers=3, ar_axes=[12, 12, 8])
            encoder, decoder, prior = Encoder(sizes), Decoder(sizes), Prior(sizes)
            batch = int(sys.argv[3])
            patches, labels = torch.randn(batch, sizes.patches, 48), torch.zeros(batch, dtype=torch.long)
            dropped = torch.zeros(batch, dtype=torch.bool)
            result = {}
            def count(name, body):
                # The plain products of attention, which the counter knows on every processor.
                with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter: value = body()
                result[name] = counter.get_total_flops()
                return value
            visual, prologue = count("encode", lambda: encoder(patches))
            count("decode", lambda: decoder(visual.values.detach()))
            indices = visual.indices if prologue is None else torch.cat([prologue.indices, visual.indices], 1)
            targets = prior.targets(indices)
            count("prior", lambda: prior(targets, labels))
            count("step b", lambda: step_b(prior, targets, labels, dropped).backward())
            with frozen(prior):
                count("step a", lambda: step_a(encoder, decoder, prior, patches, labels, dropped).loss.backward())
            print(json.dumps(result))
            """
        let output = try python(script, reference.path, name, String(batch))
        return try JSONValue(parsing: Data(output.utf8)).decode()
    }

    private func close(_ ours: Double, _ theirs: Double?, _ what: String) throws {
        let theirs = try #require(theirs)
        #expect(abs(ours / theirs - 1) < 0.02, "\(what): \(ours) FLOPs worked out, PyTorch counts \(theirs)")
    }

    @Test(arguments: ["2d", "1d", "prologue", "prologue_post"])
    func productsAreThoseThatPyTorchCounts(_ name: String) throws {
        let visual: TokenizerConfig.Visual = name == "1d" ? .latent : .grid
        let prologue: TokenizerConfig.Prologue =
            name == "prologue" ? .shared : name == "prologue_post" ? .separate(layers: 2) : .none
        let config = Self.tokenizer(visual, prologue) {
            ($0.decoderDim, $0.decoderLayers, $0.decoderHeads) = ($0.encoder.width, $0.encoder.layers, $0.encoder.heads)
        }
        let joint = ARConfig(
            layout: config.layout, network: .init(width: 64, layers: 3, heads: 2, axes: [12, 12, 8]), labels: 6)
        let (cost, batch) = (config.cost(), 8)
        let theirs = try counted(name, batch).mapValues { $0 / Double(batch) }
        try close(cost.encoding, theirs["encode"], "encoding")
        try close(cost.decoder.forward, theirs["decode"], "decoding")
        try close(joint.cost.forward, theirs["prior"], "the AR model")
        try close(joint.trainingCost.flops, theirs["step b"], "step B")
        // Weights that differ, so that each step has a pass of its own.
        var weights = TokenizerLossSettings()
        (weights.cePrologue, weights.ceVisual) = (1, 2)
        let hasJoint = prologue != .none
        let both = config.trainingCost(
            weights: weights, isFrozen: false, joint: hasJoint ? joint : nil, imageLosses: ImageLossCost())
        try close(both.flops - (hasJoint ? joint.cost.training : 0), theirs["step a"], "step A")
    }

    @Test func convolutionsAreThoseThatPyTorchCounts() throws {
        let script = """
            import json, sys, torch
            sys.dont_write_bytecode = True
            from torch import nn
            from torch.utils.flop_counter import FlopCounterMode
            def count(network, channels, size, wanted):
                x = torch.randn(1, channels, size, size, requires_grad=wanted)
                with FlopCounterMode(display=False) as counter: network(x).sum().backward()
                return counter.get_total_flops()
            conv, act = lambda a, b, k, s: nn.Conv2d(a, b, k, s, 1), nn.LeakyReLU(0.2)
            patch = nn.Sequential(conv(3, 16, 4, 2), act, conv(16, 32, 4, 2), act, conv(32, 64, 4, 1), act, conv(64, 1, 4, 1))
            small = nn.Sequential(conv(1, 8, 3, 2), act, conv(8, 16, 3, 2), act, conv(16, 32, 3, 2), nn.Flatten(),
                                  nn.Linear(32 * 25, 20), nn.Linear(20, 7))
            layers, inputs = [], 3
            for number, (repeats, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]):
                if number: layers.append(nn.MaxPool2d(2))
                for _ in range(repeats):
                    layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.ReLU()]
                    inputs = width
            vgg = nn.Sequential(*layers).requires_grad_(False)
            sys.path.insert(0, sys.argv[1])
            from convnext import ConvNeXt
            logits = ConvNeXt().requires_grad_(False)
            image = torch.randn(1, 256, 256, 3, requires_grad=True)
            with FlopCounterMode(display=False) as counter: logits(image).sum().backward()
            print(json.dumps([count(patch, 3, 32, False), count(patch, 3, 32, True), count(small, 1, 36, False), count(vgg, 3, 32, True),
                              counter.get_total_flops(), sum(p.numel() for p in logits.parameters())]))
            """
        let reference = packageRoot.appendingPathComponent("Tests/reference").path
        let theirs: [Double] = try JSONValue(parsing: Data(python(script, reference).utf8)).decode()
        func discriminator(_ isFirst: Bool) -> Double {
            PatchDiscriminator.cost(imageSize: 32, channels: 3, width: 16, layers: 2, isFirst: isFirst).training
        }
        try close(discriminator(true), theirs[0], "discriminator")
        try close(discriminator(false), theirs[1], "discriminator with the image's gradient")
        let classifier = ImageClassifier.cost(imageSize: 36, channels: 1, classes: 7, width: 8, features: 20)
        try close(classifier.training, theirs[2], "classifier")
        try close(LPIPS.cost(imageSize: 32).passing, theirs[3], "VGG-16")
        try close(ConvNeXt.cost.passing, theirs[4], "ConvNeXt-S")
        #expect(ConvNeXt.cost.parameters == Int(theirs[5]))
    }
}
