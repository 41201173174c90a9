import Experiment
import Files
import Foundation
import RunStore
import Sweep
import TestSupport
import Testing

@Suite struct HistoryQueryTests {
    private static let machine = Machine.current()

    private func run(_ number: Int, config: JSONValue, stages: [String: String] = [:], tags: Set<String> = []) -> IndexedRun {
        let states = Status.State.allCases
        var annotations = Annotations()
        annotations.tags = tags
        return IndexedRun(
            run: RunRecord(
                sweep: "sweep-\(number % 3)", cell: "", seed: number, config: config, stages: stages,
                codeVersion: CodeVersion(commit: "c", hasLocalChanges: number % 2 == 0), machine: Self.machine,
                created: Date(timeIntervalSince1970: 1_700_000_000 + 60 * Double(number * 7 % 40))),
            status: Status(states[number % states.count]), annotations: annotations)
    }

    private func stage(_ id: String, _ values: [String: Double?]) -> IndexedStage {
        IndexedStage(
            id: id,
            record: StageRecord(
                id: id, identity: StageIdentity(kind: "scores", settings: [:], formatVersion: 1), summary: [:],
                codeVersion: .unknown, machine: Self.machine, started: Date(), finished: Date(), wallSeconds: 1,
                peakMemoryBytes: 1),
            measurements: ["p": Scores(protocol: ["n": 1], values: values)])
    }

    /// Random conditions over random runs find what evaluating them run by run finds. (That the evaluation is right is
    /// checked against SQLite elsewhere.)
    @Test func findsWhatTheConditionMatches() throws {
        try withTemporaryFolder { folder in
            var random = RandomConditions(seed: 11)
            var entries: [(run: IndexedRun, stage: IndexedStage, facts: [String: JSONValue])] = []
            for number in 0..<60 {
                var (x, y): ([String: JSONValue], [String: JSONValue]) = (["always": 1], ["always": 1])
                var facts: [String: JSONValue] = [:]
                for key in ["a", "b"] { if let value = random.value() { x[key] = value; facts["config.x.\(key)"] = value } }
                for key in ["c", "d"] { if let value = random.value() { y[key] = value; facts["config.y.\(key)"] = value } }
                let score: Double?? = [nil, .some(nil), .some(-1), .some(0.25), .some(2)].randomElement(using: &random.generator)!
                let values: [String: Double?] = score.map { ["gfid@space.nocfg": $0] } ?? [:]
                let entry = run(
                    number, config: ["x": .object(x), "y": .object(y)], stages: ["scores": "scores-\(number)"],
                    tags: number % 4 == 0 ? ["paper"] : [])
                if case .some(.some(let value)) = score { facts["metrics.gfid.nocfg"] = .number(value) }
                facts["seed"] = .int(number)
                facts["sweep"] = .string(entry.run.sweep)
                facts["status"] = .string(entry.status.state.rawValue)
                facts["code.changed"] = .bool(number % 2 == 0)
                facts["tags.paper"] = .bool(number % 4 == 0)
                entries.append((entry, stage("scores-\(number)", values), facts))
            }
            let index = try RunIndex(Store(directory: folder))
            try index.fill(stages: entries.map(\.stage), runs: entries.map(\.run))
            let keys = try HistoryKeys(index)
            var found = 0
            for _ in 0..<600 {
                let text = random.condition(depth: 3)
                let expression = try Sweep.Expression(parsing: text)
                let expected = entries.filter { entry in expression.matches { entry.facts[$0] } }.map(\.run.run.id)
                let rows = try HistoryQuery(parsing: text, keys).rows(of: index, columns: ["run"])
                #expect(Set(rows.compactMap { $0[0].stringValue }) == Set(expected), "\(text)")
                #expect(rows.count == expected.count, "\(text)")
                found += rows.count
            }
            #expect(found > 2000, "the conditions are of no use as a test")
        }
    }

    @Test func ordersAndLimits() throws {
        try withTemporaryFolder { folder in
            let scores: [Double?] = [3, nil, 1, 2, 1, nil]
            let runs = scores.indices.map { run($0, config: ["k": .int($0 % 2)], stages: ["scores": "scores-\($0)"]) }
            let stages = scores.enumerated().map { stage("scores-\($0)", ["m": $1]) }
            let index = try RunIndex(Store(directory: folder))
            try index.fill(stages: stages, runs: runs)
            let keys = try HistoryKeys(index)
            func seeds(_ text: String) throws -> [Int] {
                try HistoryQuery(parsing: text, keys).rows(of: index, columns: ["seed"]).compactMap { $0[0].intValue }
            }
            // Nulls come last either way; the newest first among equals.
            #expect(try seeds("order by metrics.m") == [4, 2, 3, 0, 5, 1])
            #expect(try seeds("order by metrics.m desc, seed") == [0, 3, 2, 4, 1, 5])
            #expect(try seeds("metrics.m > 1 order by metrics.m limit 1") == [3])
            // Runs without the score come after those with it, in the order of what is asked for next.
            #expect(try seeds("order by metrics.m limit 5") == [4, 2, 3, 0, 5])
            #expect(try seeds("order by metrics.m desc, seed limit 5") == [0, 3, 2, 4, 1])
            #expect(try seeds("order by metrics.m limit 100") == [4, 2, 3, 0, 5, 1])
            #expect(try seeds("seed in (1, 2, 5) order by metrics.m, seed limit 2") == [2, 1])
            #expect(try seeds("order by config.k desc, seed desc limit 4") == [5, 3, 1, 4])
            #expect(try seeds("") == [5, 4, 3, 2, 1, 0])
            #expect(try seeds("stages.scores = 'scores-2'") == [2])
            #expect(try seeds("created between '2023-11-14' and '2023-11-15' and seed not in (0, 1)") == [5, 4, 3, 2])
            #expect(try seeds("sweep like 'SWEEP-_' and not sweep like '%1' order by seed") == [0, 2, 3, 5])
            let rows = try HistoryQuery(parsing: "seed = 0", keys).rows(of: index, columns: ["metrics.m", "config.k", "status"])
            #expect(rows == [[3.0, 0, "planned"]])
        }
    }

    @Test(arguments: [
        ("metrics.gfd.nocfg < 12", "unknown key metrics.gfd.nocfg; did you mean metrics.gfid.nocfg?", 0),
        ("seed = 0 and x.aa = 1", "unknown key x.aa; did you mean x.a?", 13),
        ("a = 1", "unknown key a; did you mean x.a?", 0), ("config.a = 1", "unknown key config.a; did you mean x.a?", 0),
        ("gfid.nocfg < 3", "unknown key gfid.nocfg; did you mean metrics.gfid.nocfg?", 0),
        ("seed = 0 order by stats", "unknown key stats; did you mean status?", 18),
        ("status = 'finished'", "status is one of planned, running, interrupted, done, failed", 0),
        ("seed = 'one'", "seed is a number, but is compared with \"one\"", 0),
        ("sweep in ('a', 3)", "sweep is text, but is compared with 3; texts stand in quotes", 0),
        ("seed = 1 and (metrics.rfid < ", "expected a value after '<', found the end", 29),
        ("tags.paper = 1", "tags.paper is true or false, but is compared with 1", 0),
        ("seed like '1%'", "seed is a number; like compares text", 0),
        ("created < 'last tuesday'", "created is a date, such as '2026-11-21' or '7 days ago', not 'last tuesday'", 0),
        ("seed < sweep", "seed is a number and sweep is text", 0),
    ])
    func mistakesPointAtTheirPlace(_ text: String, _ complaint: String, _ offset: Int) throws {
        try withTemporaryFolder { folder in
            let index = try RunIndex(Store(directory: folder))
            try index.fill(
                stages: [stage("scores-0", ["gfid@space.nocfg": 1])],
                runs: [run(0, config: ["x": ["a": 1]], stages: ["scores": "scores-0"])])
            let error = try #require(throws: InputError.self) { _ = try HistoryQuery(parsing: text, HistoryKeys(index)) }
            let lines = error.message.components(separatedBy: "\n")
            #expect(lines.first?.hasPrefix(complaint) == true, "\(error.message)")
            #expect(lines.last == "  " + String(repeating: " ", count: offset) + "^", "\(error.message)")
        }
    }

    /// A setting is called what sweep files call it, or with `config.` before that.
    @Test func settingsHaveTheNamesOfSweepFiles() throws {
        try withTemporaryFolder { folder in
            let index = try RunIndex(Store(directory: folder))
            try index.fill(
                stages: [],
                runs: (0..<4).map { run($0, config: ["prior": ["dim": .int($0)], "tokenizer": ["dim": 8, "variant": "prologue"]]) })
            let keys = try HistoryKeys(index)
            func seeds(_ text: String) throws -> [JSONValue] {
                try HistoryQuery(parsing: text, keys).rows(of: index, columns: ["seed"]).map { $0[0] }
            }
            for text in [
                "PRIOR.dim in (1, 3) order by PRIOR.dim desc", "PRIOR.dim > 1 and tokenizer.variant = 'prologue' and PRIOR.dim != 2",
            ] {
                let plain = try seeds(text.replacing("PRIOR", with: "prior"))
                #expect(try plain.first == 3 && plain == seeds(text.replacing("PRIOR", with: "config.prior")))
            }
            #expect(try HistoryQuery(parsing: "seed = 2", keys).rows(of: index, columns: ["prior.dim", "config.prior.dim"]) == [[2, 2]])
            func told(_ text: String) throws -> String {
                try #require(throws: InputError.self) { _ = try HistoryQuery(parsing: text, keys) }.message
            }
            #expect(
                try told("dim = 1").contains(
                    "unknown key dim; settings that end so are prior.dim, tokenizer.dim: write one of them in full"))
            #expect(try told("prior.dim = '128'").contains("prior.dim is a number"))
        }
    }

    /// SQLite's parser has a stack of 100, and trees of 1000 at most.
    @Test(arguments: [1, 90, 1900]) func manyTermsAreFound(_ count: Int) throws {
        try withTemporaryFolder { folder in
            let index = try RunIndex(Store(directory: folder))
            try index.fill(stages: [], runs: (0..<5).map { run($0, config: ["k": .int($0)]) })
            let keys = try HistoryKeys(index)
            func seeds(_ text: String) throws -> Set<Int> {
                Set(try HistoryQuery(parsing: text, keys).rows(of: index, columns: ["seed"]).compactMap { $0[0].intValue })
            }
            let terms = (0..<count).map { "seed = \($0 + 2)" }
            #expect(try seeds(terms.joined(separator: " or ")) == Set(2..<min(5, count + 2)))
            #expect(try seeds(terms.map { "not \($0)" }.joined(separator: " and ")) == Set(0..<5).subtracting(2..<count + 2))
            let nested = (0..<30).reduce("seed = 1") { text, _ in "(seed = 3 or (seed < 9 and \(text)))" }
            #expect(try seeds(nested) == [1, 3])
        }
    }

    @Test func datesMayBeRelative() throws {
        try withTemporaryFolder { folder in
            let index = try RunIndex(Store(directory: folder))
            func entry(_ seed: Int, daysAgo: Double) -> IndexedRun {
                var entry = run(seed, config: [:])
                entry.run.created = Date(timeIntervalSinceNow: -86_400 * daysAgo)
                return entry
            }
            try index.fill(
                stages: [], runs: [entry(0, daysAgo: 0.01), entry(1, daysAgo: 3), entry(2, daysAgo: 20), entry(3, daysAgo: 800)])
            let keys = try HistoryKeys(index)
            func seeds(_ text: String) throws -> [Int] {
                try HistoryQuery(parsing: text + " order by seed", keys).rows(of: index, columns: ["seed"]).compactMap { $0[0].intValue }
            }
            #expect(try seeds("created > '7 days ago'") == [0, 1])
            #expect(try seeds("created > '1 hour ago'") == [0])
            #expect(try seeds("created < '2 weeks ago' and created > '1 year ago'") == [2])
            #expect(try seeds("created between '1 month ago' and '1 day ago'") == [1, 2])
            #expect(try seeds("created > '2001-01-01'") == [0, 1, 2, 3])
        }
    }

    /// A second data set in the store makes no score of the first ambiguous.
    @Test func aScoreIsResolvedAmongTheRunsFound() throws {
        try withTemporaryFolder { folder in
            let index = try RunIndex(Store(directory: folder))
            let runs = (0..<4).map {
                run($0, config: ["data": ["set": .string($0 < 2 ? "one" : "two")]], stages: ["scores": "scores-\($0)"])
            }
            try index.fill(stages: (0..<4).map { stage("scores-\($0)", ["gfid@\($0 < 2 ? "one" : "two").nocfg": Double($0)]) }, runs: runs)
            let keys = try HistoryKeys(index)
            func seeds(_ text: String) throws -> [JSONValue] {
                try HistoryQuery(parsing: text, keys).rows(of: index, columns: ["seed", "metrics.gfid.nocfg"]).map { $0[0] }
            }
            #expect(try seeds("config.data.set = 'one' and metrics.gfid.nocfg < 1") == [0])
            #expect(try seeds("config.data.set = 'two' order by metrics.gfid.nocfg desc limit 5") == [3, 2])
            let error = try #require(throws: InputError.self) { _ = try seeds("metrics.gfid.nocfg < 3 order by seed") }
            #expect(error.message.contains("metrics.gfid@one.nocfg, metrics.gfid@two.nocfg"))
        }
    }

    @Test func aScoreInTwoSpacesIsNamedInFull() throws {
        try withTemporaryFolder { folder in
            let index = try RunIndex(Store(directory: folder))
            try index.fill(
                stages: [stage("scores-0", ["rfid@one": 1, "rfid@two": 2])],
                runs: [run(0, config: [:], stages: ["scores": "scores-0"])])
            let keys = try HistoryKeys(index)
            let error = try #require(throws: InputError.self) {
                _ = try HistoryQuery(parsing: "metrics.rfid < 3", keys).rows(of: index, columns: ["seed"])
            }
            #expect(error.message.contains("may be any of metrics.rfid@one, metrics.rfid@two"))
            #expect(try HistoryQuery(parsing: "metrics.rfid@two = 2", keys).rows(of: index, columns: ["seed"]) == [[0]])
        }
    }

    /// Runs of two sweeps with the same settings are one arm, and a run that both have counts once.
    @Test func armsAreGroupedBySettings() throws {
        try withTemporaryFolder { folder in
            func entry(_ sweep: String, _ variant: String, _ seed: Int) -> IndexedRun {
                IndexedRun(
                    run: RunRecord(
                        sweep: sweep, cell: "cell of \(sweep)", seed: seed,
                        config: [
                            "tokenizer": ["variant": .string(variant), "dim": 4], "seed": .int(seed), "seeds": ["prior": .int(seed)],
                        ],
                        stages: ["scores": "scores-\(variant)-\(seed)"], codeVersion: .unknown, machine: Self.machine),
                    status: Status(.done))
            }
            let runs = [
                entry("one", "a", 0), entry("one", "a", 1), entry("one", "b", 0), entry("two", "a", 1), entry("two", "a", 2),
            ]
            let names = Set(runs.compactMap { $0.run.stages["scores"] }).sorted()
            let index = try RunIndex(Store(directory: folder))
            try index.fill(stages: names.enumerated().map { stage($1, ["m": Double($0)]) }, runs: runs)
            let results = try SweepResults(
                HistoryQuery(parsing: "metrics.m < 100", HistoryKeys(index)), of: index, named: "runs",
                baseline: Sweep.Expression(parsing: "tokenizer.variant = 'b'"))
            #expect(results.arms.map(\.label) == ["a", "b"])
            #expect(results.arms.map(\.isBaseline) == [false, true])
            #expect(results.arms[0].runs.map(\.seed) == [0, 1, 2])
            #expect(results.arms[0].values("m").map(\.value) == [0, 1, 2])
            #expect(results.arms[0].values("m")[0].replicate == results.arms[1].values("m")[0].replicate)
            #expect(results.chosenBy == ["m"])
            let error = try #require(throws: InputError.self) {
                _ = try SweepResults(
                    HistoryQuery(parsing: "", HistoryKeys(index)), of: index, named: "runs",
                    baseline: Sweep.Expression(parsing: "tokenizer.varian = 'b'"))
            }
            #expect(error.message.contains("did you mean tokenizer.variant?"))
        }
    }
}

/// Conditions and values at random, the same each time.
private struct RandomConditions {
    var generator: Generator

    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ (state >> 33)) &* 0xff51_afd7_ed55_8ccd
        }
    }

    init(seed: UInt64) { generator = Generator(state: seed) }

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &generator)] }

    /// Nil for a setting that is not there.
    mutating func value() -> JSONValue? { pick([nil, .null, 1, 2, -0.5, 1e-3, "red", "Green", "1", "it's", true, false]) }

    private mutating func literal(_ key: String) -> String {
        if key.hasPrefix("config.") { return pick(["1", "2", "-0.5", "0.001", "'red'", "'green'", "'1'", "'it''s'", "true", "false"]) }
        if key == "sweep" { return pick(["'sweep-0'", "'sweep-1'", "'x'"]) }
        if key == "status" { return pick(["'done'", "'failed'", "'planned'"]) }
        if key == "seed" { return pick(["3", "17", "40.5"]) }
        if key.hasPrefix("metrics.") { return pick(["-1", "0.25", "1"]) }
        return pick(["true", "false"])
    }

    private mutating func test() -> String {
        let key = pick([
            "config.x.a", "config.x.b", "config.y.c", "config.y.d", "config.x.a", "metrics.gfid.nocfg", "seed", "sweep", "status",
            "code.changed", "tags.paper",
        ])
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: return "\(key) is null"
        case 1: return "\(key) is not null"
        case 2...3:
            let more = pick(["", ", null", ", \(literal(key))"])
            return "\(key) \(pick(["in", "not in"])) (\(literal(key))\(more))"
        case 4 where key.hasPrefix("config."): return "\(key) \(pick(["like", "not like"])) \(pick(["'r%'", "'GR_EN'", "'%'", "'_'"]))"
        case 5: return "\(key) \(pick(["between", "not between"])) \(literal(key)) and \(literal(key))"
        case 6 where key.hasPrefix("config."): return "\(key) \(pick(["=", "!=", "<", ">="])) \(pick(["config.x.b", "config.y.c"]))"
        case 7 where key.hasPrefix("config.") || key.hasPrefix("tags") || key.hasPrefix("code"): return key
        default: return "\(key) \(pick(["=", "!=", "<", "<=", ">", ">="])) \(literal(key))"
        }
    }

    mutating func condition(depth: Int) -> String {
        if depth == 0 || Int.random(in: 0..<5, using: &generator) == 0 { return test() }
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: return "not (\(condition(depth: depth - 1)))"
        case 1: return "(\(condition(depth: depth - 1))) or (\(condition(depth: depth - 1)))"
        default: return "(\(condition(depth: depth - 1))) and (\(condition(depth: depth - 1)))"
        }
    }
}
