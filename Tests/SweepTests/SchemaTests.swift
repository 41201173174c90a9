import Files
import Foundation
import Settings
import Sweep
import Testing

@Suite struct SchemaTests {
    /// Every stored property of every section has a row, and the row's name is the property's in snake case.
    @Test func rowsAreTheStructsProperties() throws {
        compare(RunSettings(), with: Schema.root, at: "run")
        compare(SamplerSettings(), with: try #require(section("sampling.settings.any")), at: "sampler")
        compare(
            SplitGuidanceSettings(), with: try #require(section("sampling.settings.any.visual_guidance")), at: "split")
    }

    private func section(_ path: String) -> SchemaSection? {
        if case .section(let section) = Schema.node(at: path) { section } else { nil }
    }

    private func compare(_ value: any SettingsSection, with section: SchemaSection, at path: String) {
        // The keys of `training` are among those of the section that has it.
        let properties = Mirror(reflecting: value).children.flatMap { child in
            child.label == "training" ? Array(Mirror(reflecting: child.value).children) : [child]
        }.map { (name: $0.label ?? "", value: $0.value) }
        let members = Dictionary(uniqueKeysWithValues: section.members.map { ($0.key, $0) })
        #expect(Set(properties.map { snakeCase($0.name) }) == Set(members.keys), "in \(path)")
        #expect(properties.count == members.count, "in \(path)")
        for property in properties {
            guard let member = members[snakeCase(property.name)] else { continue }
            if let inner = property.value as? any SettingsSection, case .section(let section) = member.node {
                compare(inner, with: section, at: "\(path).\(member.key)")
            }
        }
    }

    private func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }

    /// The text that is recorded gives back the same settings, and the same text.
    @Test func codingRoundTrips() throws {
        var settings = RunSettings()
        settings.tokenizer.variant = .baseline2D
        settings.tokenizer.decoderDim = 64
        settings.tokenizer.ropeAxes = [4, 4, 8]
        settings.prior.training.optimizer.clip = nil
        settings.sampling.settings["split"] = SamplerSettings()
        settings.sampling.settings["split"]?.visualGuidance = SplitGuidanceSettings()
        settings.sampling.settings["split"]?.visualGuidance?.scale = 3.75
        settings.probe.l2Grid = [0.25]
        settings.seeds.prior = 7
        let json = settings.json
        #expect(try RunSettings(json, from: "record") == settings)
        #expect(try JSONValue(parsing: Data(json.canonical.utf8)) == json)
        #expect(json[path: "tokenizer.decoder_dim"] == 64)
        #expect(json[path: "sampling.settings.split.visual_guidance.scale"] == 3.75)
        #expect(json[path: "prior.optimizer.clip"] == .null)
    }

    /// What a file that sets nothing resolves to is what the structs begin with.
    @Test func resolvedDefaultsAreTheStructs() throws {
        let cell = try load("name: nothing").cells[0]
        #expect(cell.settings == RunSettings())
        #expect(cell.resolved == RunSettings().json)
        #expect(RunSettings().conflicts() == [])
    }

    /// Records written before a key existed still read.
    @Test func missingKeysKeepTheirDefault() throws {
        let read = try PriorSettings(["dim": 64], from: "record")
        #expect(read.dim == 64)
        #expect(read.layers == PriorSettings().layers)
        // Of a section inside, those that the section around it has.
        #expect(
            try PriorSettings(["optimizer": ["lr": 0.5]], from: "record").training.optimizer.beta2
                == PriorSettings().training.optimizer.beta2)
        #expect(throws: InputError("run.json: dim is \"wide\", but must be of type int")) {
            try PriorSettings(["dim": "wide"], from: "run.json")
        }
    }

    @Test func identityLeavesBookkeepingOut() {
        var settings = TokenizerSettings()
        let before = settings.identity
        settings.training.checkpointEvery += 1
        settings.training.logEvery += 1
        #expect(settings.identity == before)
        settings.loss.l1 += 1
        #expect(settings.identity != before)
        let named = Schema.settings.filter { !$0.setting.affectsResults }.map(\.path)
        #expect(
            named == [
                "data.prefetch", "data.cache", "data.cache_limit", "data.expected.classes", "data.expected.train_count",
                "data.expected.test_count",
                "tokenizer.micro_batch", "tokenizer.recompute", "tokenizer.checkpoint_every", "tokenizer.keep_checkpoints",
                "tokenizer.log_every",
                "prior.micro_batch", "prior.recompute", "prior.checkpoint_every",
                "prior.keep_checkpoints", "prior.log_every", "probe.counts", "checkpoints",
            ])
    }

    /// Every default would be accepted if it were written, and every number is said to have a range.
    @Test func rowsAreSound() throws {
        for (path, setting) in Schema.settings where !path.hasPrefix("seed") && !path.contains("*") {
            #expect(!setting.help.isEmpty && setting.help.hasSuffix("."), "help of \(path)")
            switch setting.kind {
            case .int, .float: #expect(setting.bounds != nil, "range of \(path)")
            default: break
            }
            #expect(try loadingError("name: x\n\(path): \(setting.default.canonical)") == nil, "default of \(path)")
        }
    }
}
