import Files
import Foundation
import Settings
import Sweep
import TestSupport
import Testing

@Suite struct DocumentationTests {
    /// Run with `PROLOGUE_WRITE_DOCS=1` to write the page anew.
    @Test func settingsPageIsCurrent() throws {
        let page = packageRoot.appendingPathComponent("docs/settings.md")
        if ProcessInfo.processInfo.environment["PROLOGUE_WRITE_DOCS"] != nil {
            try AtomicFile.write(Data(Schema.markdown().utf8), to: page)
        }
        let committed = try String(contentsOf: page, encoding: .utf8)
        #expect(committed == Schema.markdown(), "docs/settings.md is out of date; see this test's comment")
    }

    struct Example: Sendable {
        let yaml: String
        let error: String?
    }

    /// The YAML blocks of the grammar's page, each with the error block that follows it, if one does.
    static let examples: [Example] = {
        guard let text = try? String(contentsOf: packageRoot.appendingPathComponent("docs/sweeps.md"), encoding: .utf8)
        else { return [] }
        return text.components(separatedBy: "```yaml\n").dropFirst().map { part in
            let pieces = part.components(separatedBy: "```")
            let error =
                pieces[1] == "\n" && pieces[2].hasPrefix("error\n")
                ? pieces[2].dropFirst("error\n".count).dropLast() : nil
            return Example(yaml: pieces[0], error: error.map(String.init))
        }
    }()

    @Test(arguments: examples.indices)
    func exampleDoesWhatThePageSays(index: Int) throws {
        let example = Self.examples[index]
        #expect(try loadingError(example.yaml) == example.error)
    }

    @Test func thePageHasExamplesOfBothKinds() {
        #expect(Self.examples.count { $0.error == nil } >= 10)
        #expect(Self.examples.count { $0.error != nil } >= 5)
    }

    @Test(arguments: ["fashion-small", "shapes-small"])
    func presetIsASweepOfOneRun(name: String) throws {
        let preset = try SweepFile(loading: packageRoot.appendingPathComponent("Experiments/presets/\(name).yaml"))
        #expect(preset.name == name)
        #expect(preset.cells.count == 1)
        #expect(preset.cells[0].settings.tokenizer.training.steps == 2000)
        #expect(preset.cells[0].settings.sampling.settings.keys.sorted() == ["cfg", "cool", "nocfg", "uncond"])
    }

    /// Presets of the paper's models: width, layers, heads of the prior and its ties; codes; decoder.
    @Test(arguments: [
        ("imagenet-s", [512, 10, 8], true, 16384, [768, 12, 12]), ("imagenet-b", [768, 12, 12], false, 16384, [768, 12, 12]),
        ("imagenet-l", [1024, 24, 16], false, 4096, [1024, 24, 16]),
        ("imagenet-xl", [1280, 32, 20], false, 4096, [1024, 24, 16]),
    ])
    func presetsAreThePapersModels(name: String, prior: [Int], tied: Bool, codes: Int, decoder: [Int]) throws {
        let preset = try SweepFile(loading: packageRoot.appendingPathComponent("Experiments/presets/\(name).yaml"))
        #expect(preset.name == name && preset.cells.count == 1)
        let settings = preset.cells[0].settings
        #expect([settings.prior.dim, settings.prior.layers, settings.prior.heads] == prior && settings.prior.tied == tied)
        let size = settings.tokenizer.decoderSize
        #expect(settings.tokenizer.codebook == codes && [size.dim, size.layers, size.heads] == decoder)
        // method §2 and §4.
        let (own, joint, optimizer) = (settings.tokenizer, settings.tokenizer.jointAr, settings.prior.training.optimizer)
        let sizes = [joint.dim, joint.layers, own.prologueTokens, settings.data.imageSize / own.patch]
        #expect(sizes == [512, 7, 16, 16])
        #expect(
            [own.loss.l1, own.loss.cePrologue, own.loss.ceVisual, own.gan.weight, own.gan.lecam, own.perceptual.weight]
                == [1, 3, 3, 0.1, 0.001, 1])
        #expect(
            [
                own.training.optimizer.lr, own.training.optimizer.endLr, own.training.optimizer.beta1, own.training.optimizer.beta2,
                own.training.optimizer.weightDecay,
            ]
                == [1e-4, 1e-5, 0, 0.99, 0])
        let rates = [optimizer.lr, optimizer.endLr, optimizer.beta1, optimizer.beta2, optimizer.weightDecay]
        #expect(rates == [4e-4, 1e-5, 0.9, 0.96, 0.03])
        #expect([own.ropeAxes, joint.ropeAxes, settings.prior.ropeAxes] == [[20, 20, 24], [24, 20, 20], [24, 20, 20]])
        #expect([own.training.optimizer.warmup, own.training.optimizer.decayStart, optimizer.warmup] == [20_000, 120_000, 62_500])
        #expect(own.training.steps == 1_000_000 && own.training.batch == 256)
        #expect(optimizer.clip == 1)
        #expect([settings.prior.dropout, settings.prior.attentionDropout, settings.prior.labelDrop] == [0.1, 0, 0.1])
        let counts = [settings.prior.training.steps, settings.prior.training.batch, settings.sampling.count]
        #expect(counts == [500_000, 2048, 50_000])
        #expect(
            [own.training.emaHalfLife, settings.prior.training.emaHalfLife, own.visualDropout, joint.labelDrop] == [1000, 2500, 0.5, 1])
    }
}
