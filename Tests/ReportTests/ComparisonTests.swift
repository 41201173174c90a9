import Evaluation
import Experiment
import Files
import Foundation
import Report
import RunStore
import TestSupport
import Testing

@Suite struct ComparisonTests {
    private let baseline = [30.1, 28.7, 29.9, 31.2, 30.4], prologue = [25.3, 25.9, 24.1, 27.2, 25.5]

    private func arm(
        _ label: String, _ values: [Double?], seeds: [Int]? = nil, isBaseline: Bool = false, settings: JSONValue = [:],
        count: Int = 2000, steps: Int = 600, seconds: Double = 100, score: String = "gfid@space.nocfg"
    ) -> SweepResults.Arm {
        let seeds = seeds ?? Array(values.indices)
        return SweepResults.Arm(
            label: label, isBaseline: isBaseline,
            runs: zip(seeds, values).map { seed, value in
                SweepResults.Run(
                    id: "\(label)-\(seed)", seed: seed, replicate: "seed=\(seed)", state: .done,
                    metrics: [
                        score: .init(
                            value: value, protocol: ["features": "space", "count": .int(count), "seed": .int(seed)], stage: "s")
                    ],
                    stages: [
                        "tokenizer": .init(summary: ["steps": 1000, "parameters": 1_000_000], wallSeconds: 100),
                        "prior": .init(summary: ["steps": .int(steps), "parameters": 500_000], wallSeconds: seconds),
                    ],
                    settings: FlatSettings(settings), names: ["label": .string(label)])
            })
    }

    private func message(_ body: () throws -> Void) throws -> String {
        try #require(throws: InputError.self, performing: body).message
    }

    @Test func differencesAgreeWithScipy() throws {
        let shown = try ComparisonTable(
            SweepResults(
                name: "s",
                arms: [
                    arm("baseline", baseline, isBaseline: true), arm("prologue", prologue),
                    // No seed in common, and one value less.
                    arm("other", Array(prologue.dropLast()), seeds: [11, 12, 13, 14]),
                ]), .init(metrics: ["gfid.nocfg"]))
        let rows = try #require(shown.differences.json["rows"]?.arrayValue)
        #expect(rows.map { $0["arm"] } == ["prologue", "other"])
        let expected = try pythonJSON(
            """
            import numpy as np
            from scipy import stats
            a, b = (np.array(x) for x in json.load(open('input')))
            def described(t, p): ci = t.confidence_interval(); return [ci.low, ci.high, p]
            flips = stats.permutation_test((a, b), lambda x, y: (x - y).mean(), permutation_type='samples', n_resamples=np.inf)
            c = a[:-1]
            swaps = stats.permutation_test((c, b), lambda x, y: abs(x.mean() - y.mean()), n_resamples=np.inf, alternative='greater')
            print(json.dumps([[(a - b).mean(), *described(stats.ttest_rel(a, b), flips.pvalue)],
                              [c.mean() - b.mean(), *described(stats.ttest_ind(c, b, equal_var=False), swaps.pvalue)]]))
            """, input: JSONValue.array([.array(prologue.map { .number($0) }), .array(baseline.map { .number($0) })]).canonical)
        for (row, numbers) in zip(rows, try #require(expected.arrayValue)) {
            let numbers = try #require(numbers.arrayValue).compactMap(\.doubleValue)
            for (key, number) in zip(["difference", "low", "high", "p"], numbers) {
                #expect(abs((row[key]?.doubleValue ?? .nan) - number) < 1e-9, "\(key) of \(row)")
            }
        }
        #expect(rows[0]["test"] == "paired, sign flips, exact" && rows[0]["n"] == 5 && rows[0]["smallest_p"] == 0.0625)
        #expect(rows[1]["test"] == "unpaired, permutations, exact" && rows[1]["n"] == 4)
        #expect(shown.differences.text().contains("2 tests, not adjusted for their number"))
        let few = try ComparisonTable(
            SweepResults(name: "s", arms: [arm("a", [1, 2], isBaseline: true), arm("b", [2, 4])]), .init(metrics: ["gfid.nocfg"]))
        #expect(few.differences.text().contains("too few seeds for any p below 0.05"))
    }

    @Test func meansAndIntervalsOfEachArm() throws {
        let table = try ComparisonTable(
            SweepResults(name: "s", arms: [arm("a", baseline), arm("b", prologue + [nil])]), .init(metrics: ["gfid.nocfg"])
        ).table
        let rows = try #require(table.json["rows"]?.arrayValue)
        let estimate = try #require(Estimate(of: prologue))
        // A failed measurement is missing, not a number, and does not count.
        #expect(rows[1]["gfid@space.nocfg"]?["n"] == 5 && rows[1]["gfid@space.nocfg"]?["mean"]?.doubleValue == estimate.mean)
        #expect(rows[1]["gfid@space.nocfg"]?["sd"]?.doubleValue == estimate.standardDeviation)
        #expect(rows[1]["gfid@space.nocfg"]?["low"]?.doubleValue == estimate.interval?.low)
    }

    @Test func protocolsAreNotMixedUnlessAsked() throws {
        let results = SweepResults(
            name: "s",
            arms: [arm("a", baseline, isBaseline: true, count: 2000), arm("b", prologue, count: 5000), arm("c", prologue, count: 2000)])
        let apart = try ComparisonTable(results, .init(metrics: ["gfid.nocfg"])).table
        #expect(
            apart.columns.map(\.key).filter { $0.hasPrefix("gfid") } == ["gfid@space.nocfg[count 2000]", "gfid@space.nocfg[count 5000]"])
        #expect(apart.footnotes.contains { $0.contains("different protocols (count = 2000 or 5000)") && $0.contains("--mix-protocols") })
        let rows = try #require(apart.json["rows"]?.arrayValue)
        #expect(rows[0]["gfid@space.nocfg[count 2000]"]?["n"] == 5 && rows[0]["gfid@space.nocfg[count 5000]"] == .null)
        #expect(rows[1]["gfid@space.nocfg[count 2000]"] == .null && rows[1]["gfid@space.nocfg[count 5000]"]?["n"] == 5)
        var request = ComparisonTable.Request(metrics: ["gfid.nocfg"])
        request.mixesProtocols = true
        let mixed = try ComparisonTable(results, request)
        #expect(
            mixed.table.footnotes.contains { $0.contains("PROTOCOLS ARE MIXED") && $0.contains("a, c with count 2000; b with count 5000") })
        #expect(mixed.differences.rows.count == 2)
    }

    /// What differs in protocol may stand in columns of its own, but is no difference to a baseline.
    @Test func columnsKeepProtocolsApart() throws {
        func cell(_ variant: String, _ count: Int, _ values: [Double?]) -> SweepResults.Arm {
            arm(
                "\(variant),\(count)", values, isBaseline: variant == "a" && count == 2000,
                settings: ["tokenizer": ["variant": .string(variant)], "sampling": ["count": .int(count)]], count: count)
        }
        var request = ComparisonTable.Request(metrics: ["gfid.nocfg"])
        (request.rows, request.columns) = (["tokenizer.variant"], ["sampling.count"])
        let shown = try ComparisonTable(
            SweepResults(name: "s", arms: [cell("a", 2000, [3, 4]), cell("a", 5000, [2, 3]), cell("b", 2000, [1, 2])]), request)
        #expect(
            shown.table.columns.map(\.key) == [
                "tokenizer.variant", "gfid@space.nocfg[sampling.count=2000]", "gfid@space.nocfg[sampling.count=5000]",
            ])
        #expect(shown.table.rows[1][2] == .missing)
        let differences = try #require(shown.differences.json["rows"]?.arrayValue)
        #expect(differences.map { $0["test"] } == ["other protocol", "paired, sign flips, exact"])
        #expect(differences[0]["difference"] == .null && differences[1]["difference"] == -2)
    }

    @Test func unequalBudgetsAreNamedWithTheirNumbers() throws {
        func notes(_ arms: [SweepResults.Arm]) throws -> [String] {
            try ComparisonTable(SweepResults(name: "s", arms: arms), .init(metrics: ["gfid.nocfg"])).table.footnotes
                .filter { $0.hasPrefix("budgets differ") }
        }
        #expect(try notes([arm("a", baseline), arm("b", prologue, seconds: 105)]) == [])
        #expect(
            try notes([arm("a", baseline, steps: 600), arm("b", prologue, steps: 900, seconds: 300), arm("c", prologue)]) == [
                "budgets differ: prior steps 600 (a and c), 900 (b); seconds of training 200 (a and c), 400 (b)"
            ])
        // With a baseline for each value of a second axis, arms are measured by their own.
        func cell(_ variant: String, steps: Int, isBaseline: Bool) -> SweepResults.Arm {
            arm(
                "\(variant)\(steps)", baseline, isBaseline: isBaseline,
                settings: ["tokenizer": ["variant": .string(variant)], "prior": ["steps": .int(steps)]], steps: steps)
        }
        let even = [600, 900].flatMap { [cell("a", steps: $0, isBaseline: true), cell("b", steps: $0, isBaseline: false)] }
        #expect(try notes(even) == [])
    }

    @Test func whatSharesAPlaceMustBeOneArmOrBeChosen() throws {
        func cell(_ variant: String, _ dim: Int, _ values: [Double?]) -> SweepResults.Arm {
            arm("\(variant),\(dim)", values, settings: ["tokenizer": ["variant": .string(variant)], "prior": ["dim": .int(dim)]])
        }
        let results = SweepResults(
            name: "s", arms: [cell("a", 64, [9, 8]), cell("a", 128, [7, 6]), cell("a", 256, [8, 9]), cell("b", 64, [5, 6])])
        var request = ComparisonTable.Request(metrics: ["gfid.nocfg"])
        request.rows = ["tokenizer.variant"]
        let refusal = try message { _ = try ComparisonTable(results, request) }
        #expect(refusal.contains("3 arms share the place a") && refusal.contains("prior.dim") && refusal.contains("--select"))
        request.select = "gfid.nocfg"
        let chosen = try ComparisonTable(results, request).table
        let note = try #require(chosen.footnotes.first { $0.contains("cells tried") })
        #expect(note.contains("a 3; b 1") && note.contains("more were tried for some than for others"))
        #expect(note.contains("The score chosen by is shown"))
        #expect(chosen.json["rows"]?.arrayValue?[0]["gfid@space.nocfg"]?["mean"] == 6.5)
        request.rows = ["tokenizer.varian"]
        #expect(try message { _ = try ComparisonTable(results, request) }.contains("did you mean tokenizer.variant?"))
        request.rows = ["dim"]
        #expect(try message { _ = try ComparisonTable(results, request) }.contains("did you mean prior.dim?"))
    }

    /// The baseline of an arm is the one that is like it in everything else.
    @Test func theNearestBaselineIsCompared() throws {
        func cell(_ variant: String, _ dim: Int, _ values: [Double?]) -> SweepResults.Arm {
            arm(
                "\(variant)\(dim)", values, isBaseline: variant == "a",
                settings: ["tokenizer": ["variant": .string(variant)], "prior": ["dim": .int(dim)]])
        }
        let shown = try ComparisonTable(
            SweepResults(
                name: "s", arms: [cell("a", 64, [9, 8]), cell("a", 128, [7, 6]), cell("b", 64, [5, 6]), cell("b", 128, [4, 4])]),
            .init(metrics: ["gfid.nocfg"]))
        let rows = try #require(shown.differences.json["rows"]?.arrayValue)
        #expect(rows.map { $0["baseline"] } == ["a64", "a128"])
    }

    @Test func aChoiceByAShownScoreIsNamed() throws {
        let results = SweepResults(name: "s", arms: [arm("a", baseline)], chosenBy: ["gfid.nocfg", "rfid"])
        let notes = try ComparisonTable(results, .init(metrics: ["gfid.nocfg"])).table.footnotes
        #expect(notes.contains { $0.hasPrefix("the runs were chosen by gfid.nocfg, which is shown") })
    }

    /// A score that differs in protocol, is ambiguous or was never measured takes nothing else from the table.
    @Test func oneColumnTakesNothingFromTheOthers() throws {
        var request = ComparisonTable.Request(metrics: ["gfid.nocfg", "rfid"])
        #expect(try message { _ = try ComparisonTable(SweepResults(name: "s", arms: [arm("a", baseline)]), request) }.contains("'rfid'"))
        request.allowsMissing = true
        let two = SweepResults(name: "s", arms: [arm("a", baseline), arm("b", prologue, score: "gfid@other.nocfg")])
        let table = try ComparisonTable(two, request).table
        #expect(table.columns.map(\.key).filter { $0.hasPrefix("gfid") } == ["gfid@other.nocfg", "gfid@space.nocfg"])
        #expect(table.footnotes.contains("rfid was measured in no run"))
    }

    /// A tokenizer without a prologue is probed on as many tokens as each of the others has: each is compared with its own control.
    @Test func aRunMayHaveAScoreUnderSeveralProtocols() throws {
        func probe(_ values: [Int: Double]) -> [String: SweepResults.StageSummary] {
            Dictionary(
                uniqueKeysWithValues: values.map { tokens, value in
                    (
                        "probe.\(tokens)",
                        .init(
                            summary: [:], wallSeconds: 1,
                            measurements: ["probe": Scores(protocol: ["tokens": .int(tokens)], values: ["probe.top1": value])])
                    )
                })
        }
        func arm(_ label: String, _ seeds: [[Int: Double]], isBaseline: Bool = false) -> SweepResults.Arm {
            SweepResults.Arm(
                label: label, isBaseline: isBaseline,
                runs: seeds.enumerated().map { seed, values in
                    SweepResults.Run(
                        id: "\(label)\(seed)", seed: seed, replicate: "\(seed)", state: .done, stages: probe(values),
                        settings: FlatSettings(.object([:])), names: [:])
                })
        }
        let shown = try ComparisonTable(
            SweepResults(
                name: "s",
                arms: [
                    arm("none", [[2: 0.2, 4: 0.3], [2: 0.22, 4: 0.32]], isBaseline: true), arm("two", [[2: 0.5], [2: 0.54]]),
                    arm("four", [[4: 0.6], [4: 0.64]]),
                ]), .init(metrics: ["probe.top1"]))
        let rows = try #require(shown.table.json["rows"]?.arrayValue)
        #expect(
            rows.map { $0["probe.top1[tokens 2]"]?["n"] } == [2, 2, nil] && rows.map { $0["probe.top1[tokens 4]"]?["n"] } == [2, nil, 2])
        let differences = try #require(shown.differences.json["rows"]?.arrayValue)
        #expect(differences.map { $0["metric"] } == ["probe.top1[tokens 2]", "probe.top1[tokens 4]"])
        #expect(differences.map { (($0["difference"]?.doubleValue ?? 0) * 100).rounded() } == [31, 31])
    }

    /// The worst R² was once taken for the best: its name was not known to be better the larger it is.
    @Test func theBestReadoutIsTheLargest() throws {
        let name = "readout.thumbnail.prologue.r2"
        let table = try ComparisonTable(
            SweepResults(name: "s", arms: [arm("worse", [0.1, 0.11], score: name), arm("better", [0.8, 0.81], score: name)]),
            .init(metrics: [name])
        ).table
        #expect(table.markdown().contains("| better | 2 | **0.80") && !table.markdown().contains("**0.1"))
    }

    @Test func anUnfairPairIsMarkedInItsRow() throws {
        func cell(_ variant: String, steps: Int, isBaseline: Bool = false) -> SweepResults.Arm {
            arm(
                "\(variant)\(steps)", variant == "a" ? baseline : prologue, isBaseline: isBaseline,
                settings: ["tokenizer": ["variant": .string(variant)], "prior": ["steps": .int(steps)]], steps: steps)
        }
        // The baseline of 900 steps was excluded.
        let shown = try ComparisonTable(
            SweepResults(name: "s", arms: [cell("a", steps: 600, isBaseline: true), cell("b", steps: 600), cell("b", steps: 900)]),
            .init(metrics: ["gfid.nocfg"]))
        let rows = try #require(shown.differences.json["rows"]?.arrayValue)
        #expect(rows.map { $0["unequal"] } == ["", "prior steps 900 against 600"])
        #expect(shown.shownDifferences.text().contains("NO FAIR PAIR"))
        #expect(
            shown.verdicts.contains {
                $0.hasPrefix("gFID nocfg against a600: ") && $0.contains("b900 is better by 4.5")
                    && $0.contains("no fair pair (prior steps 900 against 600)")
            })
    }

    @Test func aSentenceSaysWhatCameOut() throws {
        func verdicts(_ other: SweepResults.Arm) throws -> [String] {
            try ComparisonTable(
                SweepResults(name: "s", arms: [arm("base", baseline, isBaseline: true), other]), .init(metrics: ["gfid.nocfg"])
            ).verdicts
        }
        // As scipy has it above: 25.6 − 30.06.
        let clear = try verdicts(arm("new", prologue))
        #expect(clear[0].hasPrefix("gFID nocfg against base: new is better by 4.5 (3.1 to 5.9)."))
        // Five pairs can give no p below 0.0625: the interval leaves out 0 all the same.
        #expect(clear[1].contains("no contradiction") && clear[1].contains("p cannot be below 0.0625"))
        #expect(try verdicts(arm("same", [30.2, 28.5, 30.1, 31.0, 30.5]))[0].contains("same is not told apart (difference"))
        #expect(try verdicts(arm("worse", baseline.map { $0 + 10 }))[0].contains("worse is worse by 10"))
        let one = try ComparisonTable(
            SweepResults(name: "s", arms: [arm("a", [3], isBaseline: true), arm("b", [2])]), .init(metrics: ["gfid.nocfg"]))
        #expect(
            one.verdicts == [
                "gFID nocfg against a: b is better by 1.00.",
                "With one seed nothing can be significant: any of these differences may be chance.",
            ])
        #expect(!one.shownDifferences.columns.map(\.key).contains("p") && one.differences.columns.map(\.key).contains("p"))
    }

    /// However many arms there are, their baseline is named once in a sentence.
    @Test func theBaselineIsNamedOnce() throws {
        let arms =
            [arm("base", baseline, isBaseline: true)] + (0..<5).map { shift in arm("arm\(shift)", prologue.map { $0 + Double(shift) }) }
        let verdicts = try ComparisonTable(SweepResults(name: "s", arms: arms), .init(metrics: ["gfid.nocfg"])).verdicts
        #expect(verdicts[0].ranges(of: "base").count == 1, "\(verdicts[0])")
        #expect((0..<5).allSatisfy { verdicts[0].contains("arm\($0) is ") })
        // Two baselines, each with the arm that is nearest to it.
        let two = try ComparisonTable(
            SweepResults(
                name: "s",
                arms: [
                    arm("base,64", baseline, isBaseline: true, settings: ["prior": ["dim": 64]]),
                    arm("new,64", prologue, settings: ["prior": ["dim": 64]]),
                    arm("base,32", baseline, isBaseline: true, settings: ["prior": ["dim": 32]]),
                    arm("new,32", prologue, settings: ["prior": ["dim": 32]]),
                ]), .init(metrics: ["gfid.nocfg"])
        ).verdicts
        #expect(
            two[0].hasPrefix("gFID nocfg: against base,64, new,64 is better by")
                && two[0].contains("; against base,32, new,32 is better by"))
    }

    /// No more digits than the interval gives meaning to.
    @Test func digitsFollowTheInterval() throws {
        let table = try ComparisonTable(
            SweepResults(name: "s", arms: [arm("a", [100.123, 540.456]), arm("b", [5.001, 5.002])]), .init(metrics: ["gfid.nocfg"])
        ).table
        #expect(table.rows[0][2].shown(decimals: 2) == "320 ± 2797 (n=2)" && table.rows[1][2].shown(decimals: 2) == "5.00 ± 0.01 (n=2)")
    }

    @Test func pivotsAreSortedByTheirNumbers() throws {
        func cell(_ dim: Int, _ count: Int) -> SweepResults.Arm {
            arm("\(dim),\(count)", [1, 2], settings: ["prior": ["dim": .int(dim)], "sampling": ["count": .int(count)]])
        }
        var request = ComparisonTable.Request(metrics: ["gfid.nocfg"])
        (request.rows, request.columns) = (["prior.dim"], ["sampling.count"])
        let table = try ComparisonTable(
            SweepResults(name: "s", arms: [cell(128, 1000), cell(128, 90), cell(64, 1000), cell(64, 90)]), request
        ).table
        #expect(table.json["rows"]?.arrayValue?.map { $0["prior.dim"] } == ["64", "128"])
        #expect(table.columns.map(\.key) == ["prior.dim", "gfid@space.nocfg[sampling.count=90]", "gfid@space.nocfg[sampling.count=1000]"])
    }

    @Test func warningsOfStagesStandUnderTheTable() throws {
        let warned = SweepResults.Arm(
            label: "b", isBaseline: false,
            runs: [
                SweepResults.Run(
                    id: "b", seed: 0, replicate: "", state: .done, metrics: [:],
                    stages: ["scores": .init(summary: ["warnings": ["29 reference images for 128 features"]], wallSeconds: 1)],
                    settings: FlatSettings(.object([:])), names: [:])
            ])
        let notes = try ComparisonTable(SweepResults(name: "s", arms: [arm("a", [1]), warned]), .init(metrics: ["gfid.nocfg"])).table
            .footnotes
        #expect(notes.contains("b: 29 reference images for 128 features"))
    }

    @Test func oneSeedMarksNothing() throws {
        let shown = try ComparisonTable(
            SweepResults(name: "s", arms: [arm("a", [3], isBaseline: true), arm("b", [2])]), .init(metrics: ["gfid.nocfg"]))
        #expect(!shown.table.markdown().contains("**") && shown.noise.hasPrefix("One seed"))
        #expect(shown.differences.json["rows"]?.arrayValue?.first?["low"] == .null)
    }
}
