import Experiment
import Files
import Report
import TestSupport
import Testing

/// What a sweep varies, and the picture of it as an XML parser sees it.
@Suite struct SweepAxesTests {
    private static func results(_ arms: [(settings: [String: JSONValue], values: [Double])], stage: String? = nil) -> SweepResults {
        let measured = arms.enumerated().map { number, arm -> SweepResults.Arm in
            var sections: [String: [String: JSONValue]] = [:]
            for (key, value) in arm.settings { sections[String(key.prefix { $0 != "." }), default: [:]][key] = value }
            let settings = FlatSettings(sections: sections)
            let runs = arm.values.enumerated().map { seed, value -> SweepResults.Run in
                let score = SweepResults.Metric(value: value, protocol: .null, stage: stage ?? "s-\(number)-\(seed)")
                return SweepResults.Run(
                    id: "run-\(number)-\(seed)", seed: seed, replicate: "seed=\(seed)", state: .done, metrics: ["gfid@x.nocfg": score],
                    stages: [:], settings: settings, names: [:])
            }
            return SweepResults.Arm(label: "<arm \(number)>", isBaseline: number == 0, runs: runs)
        }
        return SweepResults(name: "axes", arms: measured)
    }

    private static let grid: SweepResults = {
        var arms: [(settings: [String: JSONValue], values: [Double])] = []
        for variant in ["baseline-2d", "prologue"] {
            for codebook in [16, 128] {
                let settings: [String: JSONValue] = [
                    "tokenizer.variant": .string(variant), "tokenizer.codebook": .int(codebook), "tokenizer.dim": .int(codebook / 2),
                    "prior.dim": 64,
                ]
                let mean: Double = 10 + Double(codebook) / 100 + (variant == "prologue" ? 3 : 0)
                arms.append((settings, [mean, mean + 0.1, mean + 0.2]))
            }
        }
        return results(arms)
    }()

    /// A setting that goes with another is no axis of its own; levels of numbers are in their order.
    @Test func axesAreWhatVariesByItself() throws {
        let axes = SweepAxes(Self.grid)
        #expect(axes.axes.map(\.key) == ["tokenizer.codebook", "tokenizer.variant"])
        #expect(axes.axes[0].levels == [16, 128] && axes.axes[0].places == [0, 1, 0, 1])
        let observations = axes.observations("gfid@x.nocfg")
        #expect(observations.names.last == "seed" && observations.values.count == 12)
        let effects = try #require(observations.effects).effects
        #expect(effects[1].share > 0.8 && effects[0].share > effects[2].share)
        // What one stage measured for all arms is one value.
        let shared = Self.results([(["prior.dim": 1], [1]), (["prior.dim": 2], [1])], stage: "one")
        #expect(SweepAxes(shared).observations("gfid@x.nocfg").values == [1])
        #expect(SweepAxes(Self.results([(["prior.dim": 1], [1]), (["prior.dim": 2], [2])])).plot("gfid@x.nocfg") == nil)
    }

    @Test func linesCrossTheirLevels() throws {
        let plot = try #require(SweepAxes(Self.grid).plot("gfid@x.nocfg"))
        let answer = try pythonJSON(
            """
            import xml.etree.ElementTree as tree
            nodes = list(tree.parse('input').getroot().iter())
            of = lambda kind: [n for n in nodes if n.tag == '{http://www.w3.org/2000/svg}' + kind]
            lines = {n[0].text: [[float(v) for v in p.split(',')] for p in n.get('points').split()] for n in of('polyline')}
            print(json.dumps(dict(lines=lines, texts=[n.text for n in of('text')])))
            """, input: plot.svg())
        let lines = try #require(answer["lines"]?.objectValue)
        #expect(lines.count == 4)
        func heights(_ arm: Int) throws -> [Double] {
            let name = try #require(lines.keys.first { $0.hasPrefix("<arm \(arm)>: ") })
            return (lines[name]?.arrayValue ?? []).compactMap { $0.arrayValue?.last?.doubleValue }
        }
        let all = try (0..<4).map(heights)
        // Same level, same place; larger codebooks and larger scores further up.
        #expect(all[0][0] == all[2][0] && all[1][0] == all[3][0] && all[0][0] > all[1][0])
        #expect(all[0][1] == all[1][1] && all[2][1] == all[3][1] && all[0][1] != all[2][1])
        #expect(all[0][2] > all[1][2] && all[1][2] > all[2][2] && all[2][2] > all[3][2])
        let texts = answer["texts"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(texts.contains("128") && texts.contains("prologue") && texts.contains { $0.hasSuffix("lower is better") })
    }
}
