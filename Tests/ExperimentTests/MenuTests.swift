import Experiment
import Files
import Foundation
import RunStore
import Settings
import Testing

/// Every key of the ablation menu changes what it should and nothing else: the stages that read it, and in their files
/// what it is for.
@Suite struct MenuTests {
    /// A key that is added to the menu must come with a row.
    @Test func everyKeyHasARow() {
        let menu = Schema.settings.filter { path, setting in
            setting.affectsResults && ["tokenizer.", "prior.", "sampling.settings."].contains { path.hasPrefix($0) }
        }.map(\.path)
        #expect(menu.count > 80)
        let rows = Set(MenuTable.rows.map(\.key)).union(MenuTable.elsewhere)
        #expect(Set(menu).subtracting(rows).sorted() == [], "keys without a row in MenuTable")
        #expect(rows.subtracting(menu).sorted() == [], "rows without a key")
    }

    @Test func aKeyChangesWhatItShould() throws {
        // One store for all rows, and one plan for all rows of a context: they share most of their stages.
        let place = try Place()
        var planned: [[String]: Outcome] = [:]
        func outcome(_ set: [String]) throws -> Outcome {
            if let known = planned[set] { return known }
            planned[set] = try Outcome(set, place)
            return try #require(planned[set])
        }
        for row in MenuTable.rows {
            let before = try outcome(row.context)
            try check(row, before, try outcome(row.context + row.also + [row.setting]))
            for (context, anew) in row.idle {
                let changed = try outcome(context).changed(to: outcome(context + row.also + [row.setting]))
                #expect(changed == anew, "stages that \(row) makes anew with \(context)")
            }
        }
    }

    private func check(_ row: MenuRow, _ before: Outcome, _ after: Outcome) throws {
        #expect(before.changed(to: after) == row.anew, "stages that \(row) makes anew")
        if row.changes.contains(.cool) {
            // Rounding may decide a token between two that are equally likely, but not several.
            let (tokens, others) = (try before.coolTokens(), try after.coolTokens())
            #expect(zip(tokens, others).count { $0 != $1 } >= 5, "\(row) draws nearly the same tokens")
        }
        for observable in row.changes {
            #expect(try before.value(observable) != after.value(observable), "\(row) leaves \(observable) alone")
        }
        // A stage that both share is the same file.
        for observable in row.keeps where before.ids[observable.role] != after.ids[observable.role] {
            #expect(try before.value(observable) == after.value(observable), "\(row) changes \(observable)")
        }
    }

    /// A prologue of no tokens is no prologue: the stages of `baseline-2d`, for every variant that could have had one.
    @Test(arguments: ["prologue", "prologue-post", "prologue-onestage"])
    func aPrologueOfNoTokensIsTheBaseline(_ variant: String) throws {
        let place = try Place()
        let none = try Outcome(["tokenizer.variant=\(variant)", "tokenizer.prologue_tokens=0"], place)
        let baseline = try Outcome(["tokenizer.variant=baseline-2d"], place)
        // The probe reads as many tokens as the prologue has, and there are none; resampling keeps as many.
        #expect(baseline.ids["probe"] != nil && none.ids["probe"] == nil)
        for (role, id) in baseline.ids where role != "probe" && role != "resample" {
            #expect(none.ids[role] == id, "\(role)")
        }
        #expect(none.ids.count == baseline.ids.count - 1)
        if variant == "prologue" { try none.run(upTo: "resample") }
    }

    /// Every pair of quantizers trains and samples.
    @Test(arguments: ["vq", "probq", "lfq", "fsq", "gumbel"])
    func quantizersGoAllTheWay(_ name: String) throws {
        let place = try Place()
        let runner = try place.runner(
            "axes: {tokenizer.prologue_quantizer: [vq, probq, lfq, fsq, gumbel]}\n",
            set: [
                "tokenizer.visual_quantizer=\(name)", "tokenizer.codebook=16", "tokenizer.visual_levels=[4, 4]",
                "tokenizer.prologue_codebook=16", "tokenizer.prologue_levels=[4, 4]", "tokenizer.loss.visual_entropy=0.01",
                "tokenizer.loss.prologue_entropy=0.01", "prior.positions=hybrid",
            ])
        let outcome = try runner.run()
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
        #expect(outcome.done.count == 5)
    }

    /// One run's stages and files.
    private struct Outcome {
        let ids: [String: String]
        private let set: [String]
        private let place: Place

        init(_ set: [String], _ place: Place) throws {
            self.place = place
            self.set = ["tokenizer.log_every=1", "prior.log_every=1"] + set
            ids = try place.ids(set: self.set)
        }

        func changed(to other: Outcome) -> Set<String> {
            Set(Set(ids.keys).union(other.ids.keys).filter { ids[$0] != other.ids[$0] })
        }

        func run(upTo role: String) throws {
            let outcome = try place.runner(set: set).run(upTo: role)
            #expect(outcome.failed.isEmpty, "\(set): \(outcome.failed)")
        }

        /// The stage of `role`, which is run where no other outcome had the same.
        private func stage(_ role: String) throws -> StageHandle {
            let stage = place.store.stage(id: try #require(ids[role]))
            if try !stage.isComplete { try run(upTo: role) }
            return stage
        }

        private func weights(_ role: String, _ name: String, _ prefix: String) throws -> [(name: String, shape: [Int], values: [Float])] {
            let file = try SafetensorsFile(reading: stage(role).url(name))
            return try file.names.sorted().filter { $0.hasPrefix(prefix) }
                .map { ($0, try file.shape($0), try file.floats($0)) }
        }

        private func shapes(_ role: String, _ prefix: String) throws -> String {
            try weights(role, "model_ema.safetensors", prefix).map { "\($0.name) \($0.shape)" }.joined(separator: "\n")
        }

        private func values(_ role: String, _ prefix: String, averaged: Bool = false) throws -> String {
            digest(try weights(role, averaged ? "model_ema.safetensors" : "model.safetensors", prefix).flatMap(\.values))
        }

        private func digest<Value>(_ values: [Value]) -> String { sha256(values.withUnsafeBytes { Data($0) }) }

        private func metric(_ role: String, _ column: String, all: Bool = false) throws -> String {
            let table = try MetricsFile.read(stage(role).url("metrics.h5"))
            let column = try #require(table.values[column])
            return "\(all ? column : Array(column.prefix(1)))"
        }

        /// Mean absolute error of reconstructions: as fine as the weights that made them.
        private func reconstructionError() throws -> String {
            let scores = try stage("reconstructions").scores()
            return "\(try #require(scores.values.compactMap { $0.values["l1@pixels"] ?? nil }.first))"
        }

        private func integers(_ role: String, _ file: String, _ name: String) throws -> HDF5Array<Int32> {
            try HDF5File(reading: stage(role).url(file)).read(name)
        }

        func coolTokens() throws -> [Int32] { try integers("samples.cool", "samples.h5", "tokens").values }

        /// Equal where what is observed is, to the bit.
        func value(_ observable: Observable) throws -> String {
            switch observable {
            case .encoderShapes: try shapes("tokenizer", "encoder.")
            case .decoderShapes: try shapes("tokenizer", "decoder.")
            case .jointShapes: try shapes("tokenizer", "ar.")
            case .priorShapes: try shapes("prior", "ar.")
            case .vocabulary: "\(try weights("prior", "model_ema.safetensors", "ar.semantic_emb.weight").map { $0.shape[0] })"
            case .sequence: "\(try integers("samples.nocfg", "samples.h5", "tokens").shape)"
            case .length: "\(try integers("tokens", "tokens.h5", "test_indices").shape)"
            case .l1: try metric("tokenizer", "l1")
            case .l2: try metric("tokenizer", "l2")
            case .quantizer: try metric("tokenizer", "quantizer")
            case .prologueCE: try metric("tokenizer", "ce_prologue")
            case .eosCE: try metric("tokenizer", "ce_eos")
            case .visualCE: try metric("tokenizer", "ce_visual")
            case .jointCE: try metric("tokenizer", "ce_joint")
            case .loss: try metric("tokenizer", "loss")
            case .visualRestarts: try metric("tokenizer", "visual_restarts", all: true)
            case .prologueRestarts: try metric("tokenizer", "prologue_restarts", all: true)
            case .encoder: try values("tokenizer", "encoder.")
            case .joint: try values("tokenizer", "ar.")
            case .jointAverage: try values("tokenizer", "ar.", averaged: true)
            case .tokenizerAverage: try values("tokenizer", "encoder.", averaged: true)
            case .prior: try values("prior", "ar.")
            case .priorAverage: try values("prior", "ar.", averaged: true)
            case .priorLoss: try metric("prior", "loss")
            case .reconstructions: try reconstructionError()
            case .tokens: digest(try integers("tokens", "tokens.h5", "train_indices").values)
            case .warm: digest(try integers("samples.nocfg", "samples.h5", "tokens").values)
            case .cool: digest(try coolTokens())
            }
        }
    }
}
