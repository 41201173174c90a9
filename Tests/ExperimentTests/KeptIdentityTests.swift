import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// Stores made by earlier versions are known again: the same settings name the same stages and the same runs.
///
/// `Fixtures/identities.json` has what commit 41897d5 gave for the sweep files of `Experiments`, on drawn shapes, and for a
/// change of every setting. A case that is added gets its line by running with `PROLOGUE_WRITE_IDENTITIES=1`, which keeps the
/// lines that are there.
@Suite struct KeptIdentityTests {
    private static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let fixture = repository.appendingPathComponent("Tests/Fixtures/identities.json")

    /// Every setting of the ablation menu in its context, and all other settings.
    static let changes: [[String]] = {
        var changes: [[String]] = []
        for row in MenuTable.rows {
            changes.append(row.context + row.also + [row.setting])
            for idle in row.idle { changes.append(idle.context + row.also + [row.setting]) }
        }
        let variants: [String] = [
            "baseline-1d", "baseline-2d", "coupled-1d", "coupled-2d", "prologue", "prologue-post", "prologue-onestage",
        ]
        let everything: [String] = [
            "tokenizer.gan={weight: 0.5, width: 4, layers: 1}", "tokenizer.perceptual.weight=0.5", "semantics.enabled=true",
            "tuning.enabled=true", "prior.snapshots=[1, 2]", "tokenizer.loss.visual_entropy=0.1", "tokenizer.precision=bfloat16",
            "prior.precision=bfloat16", "tokenizer.crop=random", "tokens.crops=ten", "probe.features=[codes, embeddings]",
            "sampling.settings.guided={guidance: {scale: 1.5, schedule: cosine, power: 2}, top_k: 3, precision: bfloat16}",
            "sampling.settings.split={prologue_guidance: {scale: 0.7}, visual_guidance: {scale: 3, schedule: linear, start: 2}}",
        ]
        for variant in variants {
            let own: [String] = ["tokenizer.variant=\(variant)"]
            changes.append(own)
            changes.append(own + everything)
            changes.append(own + ["tokenizer.prologue_tokens=0"])
            changes.append(own + ["seeds=[3, 5]"])
            for quantizer in ["vq", "probq", "lfq", "gumbel"] {
                changes.append(own + ["tokenizer.visual_quantizer=\(quantizer)"])
                changes.append(own + ["tokenizer.prologue_quantizer=\(quantizer)"])
            }
        }
        let others: [String] = [
            "data.image_size=24", "data.train_count=90", "data.test_count=30", "data.seed=1", "data.prefetch=0", "data.cache=pictures",
            "data.expected={classes: 3}", "features.width=4", "features.dim=8", "features.steps=5", "features.batch=4",
            "features.lr=0.01", "features.seed=2", "tokens.crops=ten", "prior.snapshots=[2]", "prior.keep_checkpoints=all",
            "tokenizer.keep_checkpoints=last", "sampling.count=30", "sampling.batch=7",
            "sampling.settings={only: {unconditional: true, ema: false}}", "sampling.settings.cool.precision=bfloat16",
            "scores.reference_count=30", "scores.precision_recall=false", "scores.snapshot_count=8", "probe.enabled=false",
            "probe.tokens=[pooled, all]", "probe.features=[mean, onehot]", "probe.controls=[majority, shuffled, untrained]",
            "probe.classifier=mae", "probe.train_count=30", "probe.test_count=20", "probe.l2_grid=[0.1, 1]", "probe.seed=3",
            "resample.enabled=false", "resample.rows=3", "resample.columns=4", "resample.temperature=0.5",
            "resample.unconditional=true", "tuning.scales=[1, 2]", "seeds={tokenizer: 1, prior: 2, sampler: 3}",
        ]
        for other in others { changes.append([other]) }
        for tuning in ["scales=[1, 2]", "temperatures=[0.9, 1]", "schedule=cosine", "power=2", "count=12"] {
            changes.append(["tuning.enabled=true", "tuning.\(tuning)"])
        }
        let semantics: [String] = [
            "groups=5", "draws=3", "prefixes=[0, 1]", "temperature=0.7", "factor_bins=4", "attention_images=3", "seed=9",
        ]
        for study in semantics { changes.append(["semantics.enabled=true", "semantics.\(study)"]) }
        return changes
    }()

    private static let sweepFiles = [
        "00-smoke/sweep", "01-quickstart/sweep", "02-baseline-vs-prologue/shapes", "02-baseline-vs-prologue/sweep",
        "02-baseline-vs-prologue/tokens", "03-semantics/shapes", "03-semantics/sweep", "04-image-losses/sweep",
        "05-precision/sweep", "06-confirmatory/cifar", "06-confirmatory/fashion", "presets/fashion-small", "presets/shapes-small",
    ]

    @Test func settingsNameTheStagesAndRunsTheyNamed() throws {
        let place = try Place()
        let context = ExperimentContext(store: place.store, code: .unknown, machine: .current(), progress: SilentProgress())
        var found: [String: JSONValue] = [:]
        let toy = place.folder.appendingPathComponent("toy.yaml")
        try Data(toySettings.utf8).write(to: toy)
        for change in Self.changes {
            found[change.joined(separator: " ")] = try Self.identities(toy, change, context)
        }
        let small = ["data.set=shapes", "data.path=null", "data.image_size=32", "data.train_count=80", "data.test_count=40"]
        for name in Self.sweepFiles {
            let file = Self.repository.appendingPathComponent("Experiments/\(name).yaml")
            found[name] = try Self.identities(file, small, context)
        }
        let kept = try JSONValue(parsing: Data(contentsOf: Self.fixture)).objectValue ?? [:]
        if ProcessInfo.processInfo.environment["PROLOGUE_WRITE_IDENTITIES"] != nil {
            let lines = found.merging(kept) { $1 }.sorted { $0.key < $1.key }.map { "\(JSONValue.string($0).canonical): \($1.canonical)" }
            try AtomicFile.write(Data("{\n\(lines.joined(separator: ",\n"))\n}\n".utf8), to: Self.fixture)
        }
        // Cases that came later have nothing to be compared with.
        let compared = found.filter { kept[$0.key] != nil }
        for (name, identities) in compared {
            #expect(kept[name] == identities, "\(name) names other stages or runs than before")
        }
        #expect(compared.count >= 250)
    }

    /// Of each cell: digests of what names its run, and of its stages' ids by role.
    private static func identities(_ file: URL, _ set: [String], _ context: ExperimentContext) throws -> JSONValue {
        let runner = SweepRunner(try SweepFile(loading: file, overrides: set), context)
        let plan = try runner.plan()
        return .array(
            zip(runner.sweep.cells, plan.cells).map { cell, planned in
                // A cell without a prologue came to be probed with the token counts of its sweep: probe.1, probe.2, …
                let stages = planned.stages.filter { !$0.role.hasPrefix("probe.") }.map { "\($0.role)=\($0.id)" }.sorted().joined(
                    separator: "\n")
                return .string(digest(cell.identity.canonical) + " " + digest(stages))
            })
    }

    private static func digest(_ text: String) -> String { String(sha256(Data(text.utf8)).prefix(12)) }
}
