import Experiment
import Files
import Foundation
import Report
import Sweep
import Testing

/// Values that others have published, beside a sweep's own.
@Suite struct PublishedTableTests {
    private func sweep(_ published: String) throws -> SweepFile {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("published-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("name: x\narms: {a: {}, b: {prior.steps: 900}}\ncompare: {published: \(published)}\n".utf8).write(to: file)
        return try SweepFile(loading: file)
    }

    private func arm(_ label: String, _ scores: [String: Double], protocol: JSONValue) -> SweepResults.Arm {
        let metrics = scores.mapValues { SweepResults.Metric(value: $0, protocol: `protocol`, stage: "s") }
        let run = SweepResults.Run(
            id: label, seed: 0, replicate: "seed=0", state: .done, metrics: metrics, stages: [:], settings: FlatSettings([:]),
            names: ["label": .string(label)])
        return SweepResults.Arm(label: label, isBaseline: false, runs: [run])
    }

    @Test func samplingExplainsSoMuchAndNoMore() throws {
        let sweep = try sweep(
            "{a: {gfid.nocfg: 4.10, precision.nocfg: .80, recall.nocfg: 0.5, is.nocfg: 200}, b: {gfid.nocfg: 4.10, rfid: 1.0, is.nocfg: 200}}"
        )
        let told: JSONValue = ["published": "comparable", "count": 1600, "reference_count": 100]
        let space = "inception-2015"
        // 2·√2·0.05 + 0.005 = 0.1464; 2·√2·0.01 + 0.005 = 0.0333; 2·√2·0.05 + 0.05 = 0.1914.
        let results = SweepResults(
            name: "x",
            arms: [
                arm(
                    "a",
                    [
                        "gfid@\(space).nocfg": 4.24, "gfid_noise@\(space).nocfg": 0.05, "precision@\(space).nocfg": 0.84,
                        "recall@\(space).nocfg": 0.35, "is@\(space).nocfg": 190,
                    ], protocol: told),
                arm(
                    "b",
                    [
                        "is@\(space).nocfg": 203, "is_deviation@\(space).nocfg": 3, "gfid@shapes-cnn.nocfg": 4.1,
                        "gfid_noise@shapes-cnn.nocfg": 0.05,
                    ], protocol: ["count": 1600, "splits": 10, "published": "comparable"]),
            ])
        let table = try ComparisonTable(results, .init(sweep)).published.json
        let rows = try #require(table["rows"]?.arrayValue)
        func row(_ arm: String, _ score: String) throws -> JSONValue {
            try #require(rows.first { $0["arm"]?.stringValue == arm && $0["score"]?.stringValue == score })
        }
        for (score, allowed, verdict) in [
            ("gfid.nocfg", 0.14642, "within noise"), ("precision.nocfg", 0.03328, "beyond noise"),
            ("recall.nocfg", 0.19142, "within noise"),
        ] {
            let row = try row("a", score)
            #expect(abs((row["allowed"]?.doubleValue ?? .nan) - allowed) < 1e-4, "\(row)")
            #expect(row["verdict"]?.stringValue == verdict, "\(row)")
        }
        #expect(try row("a", "is.nocfg")["verdict"]?.stringValue == "noise not known")
        #expect(try row("a", "is.nocfg")["allowed"]?.doubleValue == nil && row("a", "is.nocfg")["deviation"] == -10)
        // 2·√2·3/√9 + 0.5: ten parts that deviate by 3 leave 1 to their mean.
        #expect(abs((try row("b", "is.nocfg")["allowed"]?.doubleValue ?? .nan) - 3.32843) < 1e-4)
        #expect(try row("b", "is.nocfg")["verdict"]?.stringValue == "within noise")
        // In another network's features, the same number means nothing.
        #expect(try row("b", "gfid.nocfg")["verdict"]?.stringValue == "not comparable")
        #expect(try row("b", "rfid")["verdict"]?.stringValue == "not measured")
        let notes = table["footnotes"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(notes.contains { $0.hasPrefix("b: not comparable: features of shapes-cnn") }, "\(notes)")
    }
}
