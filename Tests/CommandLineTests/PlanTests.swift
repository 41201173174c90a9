import Files
import Foundation
import TestSupport
import Testing

/// What `sweep plan` says a sweep would take, against what it took.
@Suite struct PlanTests {
    private static let presets = packageRoot.appendingPathComponent("Experiments/presets")

    private func stages(_ plan: JSONValue, cell: Int = 0) throws -> [String: JSONValue] {
        let stages = try #require(plan["cells"]?.arrayValue?[cell]["stages"]?.arrayValue)
        return Dictionary(uniqueKeysWithValues: stages.compactMap { stage in stage["role"]?.stringValue.map { ($0, stage) } })
    }

    /// The AR models of the paper: its 115M parameters for B; for L and XL, whose tokenizer has fewer codes, within a
    /// twentieth or so of its 305M and 685M.
    private static let published = ["imagenet-b": (115e6, 0.01), "imagenet-l": (305e6, 0.07), "imagenet-xl": (685e6, 0.05)]

    /// Presets can be planned wherever they are, data or not; the table is another way of saying it.
    @Test func everyPresetPlans() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.presets.path).filter { $0.hasSuffix(".yaml") }
        #expect(names.count >= 7)
        let place = try Workplace()
        for name in names.sorted() {
            let file = Self.presets.appendingPathComponent(name).path
            let plan = try place.json("sweep", "plan", file, "--json")
            for cell in plan["cells"]?.arrayValue?.indices ?? 0..<0 {
                let stages = try stages(plan, cell: cell)
                // The paper's scores are in features of a network that is taken as it is.
                let isTaken = name.hasPrefix("imagenet")
                if isTaken { #expect(stages["features"]?["flops"] == 0, "\(name): \(stages["features"] ?? .null)") }
                for role in (isTaken ? [] : ["features"]) + ["tokenizer", "reconstructions", "tokens", "prior", "samples.nocfg"] {
                    for key in ["parameters", "flops", "memory_bytes", "disk_bytes", "seconds"] {
                        #expect(try #require(stages[role]?[key]?.doubleValue) > 0, "\(name): \(role), \(key)")
                    }
                }
            }
            if let (parameters, tolerance) = Self.published[name.replacing(".yaml", with: "")] {
                let prior = try #require(stages(plan)["prior"])
                #expect(abs(try #require(prior["parameters"]?.doubleValue) / parameters - 1) < tolerance, "\(prior)")
                // 500 000 steps of 2048 sequences of 16 + 1 + 256 tokens.
                #expect(prior["tokens"] == .int(500_000 * 2048 * 273))
            }
            let missing = name.hasPrefix("imagenet")
            let notes = (plan["notes"]?.arrayValue ?? []).compactMap(\.stringValue)
            let expectation = "planned for 1000 classes, 1281167 training and 50000 held-out images"
            #expect(notes.contains { $0.contains(expectation) } == missing, "\(name): \(notes)")
            guard ["imagenet-b.yaml", "fashion-small.yaml"].contains(name) else { continue }
            let shown = try place.run("sweep", "plan", file)
            #expect(shown.code == 0 && shown.output.contains("FLOP") && shown.output.contains(expectation) == missing)
        }
    }

    @Test func whatIsPlannedForMissingDataCannotBeRun() throws {
        let place = try Workplace()
        let file = Self.presets.appendingPathComponent("imagenet-b.yaml").path
        let run = try place.run("sweep", "run", file)
        #expect(run.code == 2 && run.errors.contains("imagenet"), "\(run.errors)")
        #expect(place.stages("tokenizer").isEmpty)
        // Where nothing says what to expect, a plan is no better off.
        let blind = try place.run("sweep", "plan", file, "--set", "data.set=image-folder", "--set", "data.expected=null")
        #expect(blind.code == 2 && blind.errors.contains("data.expected"), "\(blind.errors)")
    }

    /// Memory that training took, in the order of what was planned; parameters exactly.
    @Test(arguments: [
        "tokenizer.variant=prologue", "tokenizer.variant=baseline-1d", "tokenizer.variant=prologue-post",
        "tokenizer.gan={weight: 0.1, width: 16}",
    ])
    func memoryIsAboutWhatWasPlanned(_ change: String) throws {
        let place = try Workplace(
            sweep: """
                name: sized
                data: {set: shapes, image_size: 32, train_count: 200, test_count: 100}
                features: {width: 8, dim: 16, steps: 4, batch: 16}
                tokenizer:
                  {patch: 4, dim: 64, layers: 3, heads: 2, codebook: 256, prologue_tokens: 4, prologue_codebook: 64,
                   loss: {ce_prologue: 1, ce_visual: 0.5}, joint_ar: {dim: 64, layers: 2, heads: 2}, steps: 2, batch: 48,
                   optimizer: {warmup: 1}}
                prior: {dim: 96, layers: 4, heads: 3, dropout: 0.1, steps: 2, batch: 64, optimizer: {warmup: 1}}
                sampling: {count: 20, settings: {nocfg: {}}}
                probe: {enabled: false}
                resample: {enabled: false}

                """)
        let before = try stages(place.json("sweep", "plan", place.sweep, "--set", change, "--json"))
        // The prior is the same network for all of them.
        let roles = change == "tokenizer.variant=prologue" ? ["tokenizer", "prior"] : ["tokenizer"]
        let ended = try place.run("train", place.sweep, "--set", change, "--stage", roles[roles.count - 1])
        try #require(ended.code == 0, "\(ended.errors)")
        for role in roles {
            let planned = try #require(before[role])
            let id = try #require(planned["id"]?.stringValue)
            let record = try JSONValue(
                parsing: Data(contentsOf: place.store.appendingPathComponent("stages/\(id)/stage.json")))
            let summary = try #require(record["summary"])
            let took = try #require(summary["peak_tensor_bytes"]?.doubleValue)
            let ratio = try #require(planned["memory_bytes"]?.doubleValue) / took
            #expect(ratio > 1 / 1.5 && ratio < 1.5, "\(role) took \(took) bytes, \(ratio) of that was planned")
            let judge = role == "prior" ? 0 : summary["joint_parameters"]?.intValue ?? 0
            let counted = try #require(summary["parameters"]?.intValue) + judge
            let isWhole = role == "prior" || !change.contains("gan")
            #expect(!isWhole || planned["parameters"] == .int(counted), "\(role): \(planned)")
            #expect(summary["flops"]?.doubleValue == planned["flops"]?.doubleValue)
        }
    }

    /// With nothing done, times are FLOPs at this machine's rate, which is measured once; with something done, that
    /// stage's own time, scaled by FLOPs.
    @Test func timesComeFromTheMachineAndThenFromWhatWasDone() throws {
        let fresh = try Workplace()
        let first = try fresh.json("sweep", "plan", fresh.sweep, "--json")
        let tokenizer = try #require(stages(first)["tokenizer"])
        let rate = try #require(tokenizer["estimated_from"]?["flops_per_second"]?.doubleValue)
        let (flops, seconds) = (tokenizer["flops"]?.doubleValue ?? 0, tokenizer["seconds"]?.doubleValue ?? 0)
        #expect(abs(seconds * rate / flops - 1) < 1e-9)
        #expect(try fresh.json("sweep", "plan", fresh.sweep, "--json") == first, "measured again")

        let place = try finishedSweep.get().place
        func prior(_ sizes: String) throws -> JSONValue {
            try #require(stages(place.json(["sweep", "plan", place.sweep, "--json", "--set", "prior={\(sizes)}"]))["prior"])
        }
        // One whose steps are too large for a small one to tell.
        let large = try prior("dim: 128, layers: 6, heads: 4, rope_axes: [12, 12, 8]")
        #expect(large["estimated_from"]?["flops_per_second"]?.doubleValue != nil, "\(large)")
        let prior = try prior("layers: 2")
        let source = try #require(prior["estimated_from"]?["stage"]?.stringValue)
        let record = try JSONValue(
            parsing: Data(contentsOf: place.store.appendingPathComponent("stages/\(source)/stage.json")))
        let done = try #require(record["summary"]?["flops"]?.doubleValue)
        let expected = try #require(record["wall_seconds"]?.doubleValue) * (prior["flops"]?.doubleValue ?? 0) / done
        #expect(abs((prior["seconds"]?.doubleValue ?? 0) / expected - 1) < 1e-9)
        #expect((prior["flops"]?.doubleValue ?? 0) > 1.2 * done, "twice the layers")
    }

    /// What toy models took says nothing of large ones: those are estimated from the machine's rate, never from a stage
    /// whose steps are a millionth as large.
    @Test func toysTellNothingOfLargeModels() throws {
        let place = try finishedSweep.get().place
        let plan = try place.json("sweep", "plan", Self.presets.appendingPathComponent("imagenet-b.yaml").path, "--json")
        let stages = try stages(plan)
        for role in ["tokenizer", "prior", "samples.nocfg"] {
            let stage = try #require(stages[role])
            let rate = try #require(stage["estimated_from"]?["flops_per_second"]?.doubleValue, "\(stage)")
            #expect(abs((stage["seconds"]?.doubleValue ?? 0) * rate / (stage["flops"]?.doubleValue ?? 1) - 1) < 1e-9)
        }
    }

    /// On named hardware everything follows from FLOPs: 8 · 989 TFLOP/s at a stated share. The rows fit 100 columns.
    @Test func aNamedMachineIsPlannedFor() throws {
        let place = try Workplace()
        let file = packageRoot.appendingPathComponent("Experiments/08-imagenet/sweep.yaml").path
        let plan = try place.json("sweep", "plan", file, "--machine", "h100x8", "--utilisation", "0.5", "--json")
        let (machine, flops) = (try #require(plan["machine"]), try #require(plan["total"]?["flops"]?.doubleValue))
        let total = try #require(machine["total"])
        #expect(abs(try #require(total["seconds"]?.doubleValue) * 8 * 989e12 * 0.5 / flops - 1) < 1e-9)
        #expect(abs(try #require(total["joules"]?.doubleValue) / (700 * flops / (989e12 * 0.5)) - 1) < 1e-9)
        let arms = try #require(machine["arms"]?.objectValue)
        #expect(arms.count == 10)
        #expect(abs(arms.values.reduce(0) { $0 + ($1["flops"]?.doubleValue ?? 0) } / flops - 1) < 1e-9)
        // Nothing of this machine is measured, and the joint model is no training of its own.
        let stages = try #require(plan["cells"]?.arrayValue?.last?["stages"]?.arrayValue)
        let joint = try #require(stages.first { $0["role"]?.stringValue == "prior" })
        #expect(
            joint["steps"] == .null && (joint["flops"]?.doubleValue ?? 0) < 1e-3 * (stages.map { $0["flops"]?.doubleValue ?? 0 }.max() ?? 0)
        )
        #expect(joint["seconds"] == .null)

        let shown = try place.run("sweep", "plan", file, "--machine", "h100x8", environment: ["COLUMNS": "100"])
        let lines = shown.output.split(separator: "\n")
        #expect(shown.code == 0 && lines.allSatisfy { $0.count <= 100 }, "\(shown.output)\(shown.errors)")
        for arm in ["baseline-1d", "l-xl", "onestage"] {
            #expect(lines.contains { $0.hasPrefix(arm) && $0.contains("GPU-days") && $0.contains("Wh") }, "\(shown.output)")
        }
        let rate = try place.json("sweep", "plan", file, "--machine", "flops=1e15", "--utilisation", "1", "--json")
        #expect(abs(try #require(rate["machine"]?["total"]?["seconds"]?.doubleValue) * 1e15 / flops - 1) < 1e-9)
        #expect(rate["machine"]?["total"]?["joules"] == .null)
        for (machine, expected) in [("h10x8", "h100x8"), ("h100x0", "h100"), ("flops=-1", "flops=1e15")] {
            let wrong = try place.run("sweep", "plan", file, "--machine", machine)
            #expect(wrong.code == 2 && wrong.errors.contains(machine) && wrong.errors.contains(expected), "\(wrong.errors)")
        }
        let share = try place.run("sweep", "plan", file, "--machine", "h100", "--utilisation", "40")
        #expect(share.code == 2 && share.errors.contains("--utilisation"), "\(share.errors)")
    }

    /// By default a row an arm, whatever the number of cells; with `--stages` all; one line where nothing is left to do.
    @Test func theSummaryIsShort() throws {
        let place = try Workplace(sweep: tinySweep + "seeds: [0, 1, 2, 3, 4, 5]\n")
        let shown = try place.run("sweep", "plan", place.sweep, environment: ["COLUMNS": "100"])
        let lines = shown.output.split(separator: "\n")
        #expect(shown.code == 0 && lines.count < 20 && lines.allSatisfy { $0.count <= 100 }, "\(shown.output)\(shown.errors)")
        #expect(lines.contains { $0.hasPrefix("prologue ") && $0.contains(" 6 ") })
        #expect(shown.output.contains("12 cells in 2 arms: "))
        let all = try place.run("sweep", "plan", place.sweep, "--stages")
        #expect(all.output.split(separator: "\n").count > 100)

        let finished = try finishedSweep.get()
        let nothing = try finished.place.run("sweep", "plan", finished.place.sweep).output.split(separator: "\n")
        #expect(nothing.count == 1 && nothing[0].contains("2 cells in 2 arms: nothing to do"), "\(nothing)")
        #expect(finished.first.errors.contains("2 cells in 2 arms: "), "a run begins with what it is about to do")
    }

    /// A sweep that takes days says so before it begins.
    @Test func aSweepOfDaysIsWarnedOf() throws {
        let place = try Workplace()
        let long = try place.run(
            "sweep", "plan", place.sweep, "--set", "tokenizer.steps=400000000", "--set", "tokenizer.checkpoint_every=1000000")
        #expect(
            long.output.contains("warning: this will take about") && long.output.contains(" with one worker"),
            "\(long.output)\(long.errors)")
        #expect(try !place.run("sweep", "plan", place.sweep).output.contains("warning"))
    }
}
