import Evaluation
import Experiment
import Files
import Foundation
import Metrics
import Report
import RunStore
import Sweep
import TestSupport
import Testing

/// Endpoints as a family, arms by seeds, every value, and where variance comes from.
@Suite struct EndpointTests {
    private static let values: [String: [String: [Double?]]] = [
        "baseline-2d": [
            "gfid@s.nocfg": [30.1, 28.7, 29.9, 31.2, 30.4, 29.5], "rfid@s": [9.9, 10.2, 10.1, 9.8, 10.4, 10],
            "gfid@s-s1.nocfg": [50, 51, 52, 49, 50, 50.5], "gfid_floor@s.nocfg": [2.2, 2.3, 2.2, 2.25, 2.2, 2.2],
        ],
        "prologue": [
            "gfid@s.nocfg": [25.3, 25.9, 24.1, 27.2, 25.5, 26], "rfid@s": [10.2, 10.1, 10.3, 10.2, 10.5, 9.9],
            "gfid@s-s1.nocfg": [46, 45, 47, 45, 44, 46], "gfid_floor@s.nocfg": [2.2, 2.3, 2.2, 2.25, 2.2, 2.2],
        ],
        "prologue-post": [
            "gfid@s.nocfg": [29.3, 28.9, 28.1, 30.2, 30.9, 29.1], "rfid@s": [9.9, 10.2, 10.1, 9.8, 10.4, nil],
            "gfid@s-s1.nocfg": [50, 50, 51, 49, 50, 50], "gfid_floor@s.nocfg": [2.2, 2.3, 2.2, 2.25, 2.2, 2.2],
        ],
    ]

    private func results() -> SweepResults {
        SweepResults(
            name: "s",
            arms: Self.values.sorted { $0.key < $1.key }.map { label, scores in
                SweepResults.Arm(
                    label: label, isBaseline: label == "baseline-2d",
                    runs: (0..<6).map { seed in
                        SweepResults.Run(
                            id: "\(label)-\(seed)", seed: seed, replicate: "seed=\(seed)", state: .done,
                            metrics: scores.mapValues {
                                .init(value: $0[seed], protocol: ["features": "s", "count": 2000, "seed": .int(seed)], stage: "t")
                            },
                            stages: [:], settings: FlatSettings(["seeds": ["tokenizer": .int(seed), "prior": .int(seed + 10)]]),
                            names: ["label": .string(label), "arm": .string(label)])
                    })
            })
    }

    private func rows(_ table: Table) throws -> [JSONValue] { try #require(table.json["rows"]?.arrayValue) }

    @Test func endpointsAreOneFamily() throws {
        var request = ComparisonTable.Request()
        request.endpoints = [
            Endpoint(metric: "gfid.nocfg"), Endpoint(metric: "rfid", only: "arm = 'prologue'", margin: 0.6),
            Endpoint(metric: "is.nocfg"),
        ]
        let table = try ComparisonTable(results(), request).endpoints
        let rows = try rows(table)
        #expect(rows.map { $0["arm"] } == ["prologue", "prologue-post", "prologue"])
        #expect(rows.map { $0["claim"] } == ["different", "different", "equal within ±0.6"])
        let expected = try pythonJSON(
            """
            from scipy import stats
            v = json.load(open("input"))
            def flips(a, b): return stats.permutation_test((a, b), lambda x, y: (x - y).mean(), permutation_type="samples",
                                                           n_resamples=np.inf).pvalue
            g = {k: np.array(x["gfid@s.nocfg"]) for k, x in v.items()}
            r = {k: np.array(x["rfid@s"], float) for k, x in v.items()}
            a, b, m = r["prologue"], r["baseline-2d"], 0.6
            tost = max(stats.ttest_rel(a + m, b, alternative="greater").pvalue, stats.ttest_rel(a - m, b, alternative="less").pvalue)
            p = np.array([flips(g["prologue"], g["baseline-2d"]), flips(g["prologue-post"], g["baseline-2d"]), tost])
            order = np.argsort(p)
            holm = np.empty(3)
            holm[order] = np.minimum(1, np.maximum.accumulate((3 - np.arange(3)) * p[order]))
            ci = stats.ttest_rel(a, b).confidence_interval(0.9)
            print(json.dumps(dict(p=p.tolist(), holm=holm.tolist(), low=ci.low, high=ci.high)))
            """, input: "\(try JSONValue(Self.values).canonical)")
        for (row, (p, holm)) in zip(rows, zip(try numbers(expected, "p"), try numbers(expected, "holm"))) {
            #expect(abs((row["p"]?.doubleValue ?? .nan) - p) < 1e-9, "\(row)")
            #expect(abs((row["p_holm"]?.doubleValue ?? .nan) - holm) < 1e-9, "\(row)")
        }
        #expect(abs((rows[2]["low"]?.doubleValue ?? .nan) - (expected["low"]?.doubleValue ?? 0)) < 1e-9)
        #expect(abs((rows[2]["high"]?.doubleValue ?? .nan) - (expected["high"]?.doubleValue ?? 0)) < 1e-9)
        // Three tests: the smallest p of six pairs, .031, is no longer enough.
        #expect(rows.map { $0["verdict"] } == ["not shown", "not shown", "equal"])
        let text = table.text()
        #expect(text.contains("3 tests") && text.contains("endpoint is.nocfg has not been measured"))
    }

    private func numbers(_ json: JSONValue, _ key: String) throws -> [Double] {
        try #require(json[key]?.arrayValue).compactMap(\.doubleValue)
    }

    /// Alone it is shown; with a condition that no arm meets there is nothing to show.
    @Test func aSingleEndpointNeedsNoCorrection() throws {
        var request = ComparisonTable.Request()
        request.endpoints = [Endpoint(metric: "gfid.nocfg", only: "arm = 'prologue'")]
        let rows = try rows(ComparisonTable(results(), request).endpoints)
        #expect(rows.count == 1 && rows[0]["verdict"] == "better" && rows[0]["p"] == rows[0]["p_holm"])
        request.endpoints = [Endpoint(metric: "gfid.nocfg", only: "arm = 'other'")]
        #expect(try ComparisonTable(results(), request).endpoints.rows.isEmpty)
    }

    @Test func aScoreMayBeSetAgainstAnotherOfTheSameRuns() throws {
        var request = ComparisonTable.Request()
        request.endpoints = [Endpoint(metric: "gfid@s.nocfg", against: "gfid@s-s1.nocfg", only: "arm = 'prologue'")]
        let rows = try rows(ComparisonTable(results(), request).endpoints)
        let (own, other) = (Self.values["prologue"]?["gfid@s.nocfg"] ?? [], Self.values["prologue"]?["gfid@s-s1.nocfg"] ?? [])
        let expected = zip(own, other).reduce(0.0) { $0 + ($1.0 ?? 0) - ($1.1 ?? 0) } / 6
        #expect(rows.count == 1 && abs((rows[0]["difference"]?.doubleValue ?? 0) - expected) < 1e-12)
        #expect(rows[0]["baseline"] == "prologue: gFID nocfg" && rows[0]["p"] == 0.03125)
    }

    @Test func armsBySeedsAreAnalysedInBlocks() throws {
        let blocks = try ComparisonTable(results(), .init(metrics: ["gfid.nocfg", "rfid"])).blocks
        let rows = try rows(blocks)
        // rFID of one seed is missing in one arm: five complete blocks.
        let names = rows.map { $0["metric"]?.stringValue ?? "" }
        #expect(names.contains("rfid") && names.count == 3)
        let rfid = try #require(rows.first { $0["metric"] == "rfid" })
        #expect(rfid["seeds"] == 5 && rfid["arms"] == 3)
        let expected = try pythonJSON(
            """
            from scipy import stats
            v = json.load(open("input"))
            x = np.array([v[k]["rfid@s"][:5] for k in sorted(v)], float)
            print(json.dumps(dict(chi=stats.friedmanchisquare(*x).statistic)))
            """, input: "\(try JSONValue(Self.values).canonical)")
        #expect(abs((rfid["friedman"]?.doubleValue ?? .nan) - (expected["chi"]?.doubleValue ?? 0)) < 1e-9)
        let two = SweepResults(name: "s", arms: Array(results().arms.prefix(2)))
        #expect(try ComparisonTable(two, .init(metrics: ["gfid.nocfg"])).blocks.rows.isEmpty)
    }

    /// From every value, the means of the table can be had again.
    @Test func everyValueIsThere() throws {
        let shown = try ComparisonTable(results(), .init(metrics: ["rfid", "gfid@s.nocfg"]))
        let answer = try python(
            """
            import csv, sys
            rows = list(csv.DictReader(open("values.csv", newline="")))
            assert len(rows) == 18 and {r["seeds.prior"] for r in rows} == {str(s) for s in range(10, 16)}
            values = [float(r["rfid@s"]) for r in rows if r["arm"] == "prologue-post" and r["rfid@s"]]
            assert {r["arm"] for r in rows if r["baseline"] == "yes"} == {"baseline-2d"}
            print(len(values), sum(values) / len(values))
            """, files: ["values.csv": Data(shown.seeds.csv().utf8)])
        let estimate = try #require(try rows(shown.table).last?["rfid@s"])
        #expect(answer.hasPrefix("5 "))
        #expect(abs((Double(answer.dropFirst(2)) ?? .nan) - (estimate["mean"]?.doubleValue ?? 0)) < 1e-12)
    }

    @Test func theFloorIsBelowTheTable() throws {
        let text = try ComparisonTable(results(), .init(metrics: ["gfid@s.nocfg"])).table.text()
        #expect(text.contains("gfid.nocfg: a perfect sampler of as many samples would have 2.20 to 2.30"), "\(text)")
    }

    @Test func varianceIsTakenApart() throws {
        let table = try VarianceTable(results(), metrics: ["gfid.nocfg"]).table
        let rows = try rows(table)
        #expect(rows.map { $0["component"] } == ["tokenizer + prior + sampler", "features", "rest (network × run)"])
        #expect(rows.map { $0["df"] } == [15, 1, 15])
        let shares = rows.compactMap { $0["share"]?.doubleValue }
        #expect(abs(shares.reduce(0, +) - 1) < 1e-12 && shares[1] > 0.9)
        #expect(throws: InputError.self) { try VarianceTable(results(), metrics: ["gfid.nocgf"]) }
    }
}

extension JSONValue {
    fileprivate init(_ values: [String: [String: [Double?]]]) throws {
        self = .object(
            values.mapValues { .object($0.mapValues { .array($0.map { $0.map { .number($0) } ?? .null }) }) })
    }
}
