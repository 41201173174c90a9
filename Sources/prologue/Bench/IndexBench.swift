import Evaluation
import Experiment
import Files
import Foundation
import Report
import RunStore
import Settings
import Sweep

/// Fills an index with made-up runs and times the questions people ask of it.
///
/// The runs are as real ones are: every setting there is, sweeps of 20 cells or more with three seeds, tokenizers that priors
/// share, scores under protocols. They go through the writer that reads files otherwise, in one transaction.
struct IndexBench {
    let runs: Int
    let folder: URL
    /// Cells of each sweep.
    var cells = 20
    /// Whether the stages of the first sweep that train have curves.
    var hasCurves = false

    private static let seeds = 3
    static let mostCells = 500
    private static let variants = ["baseline-2d", "prologue"]

    func table(repetitions: Int) throws -> Table {
        let index = try RunIndex(Store(directory: folder))
        let start = ContinuousClock.now
        try fill(index)
        let filling = ContinuousClock.now - start
        if hasCurves {
            // A store for whoever times something else than questions.
            try writeCurves()
            var table = Table(columns: [.number("runs", decimals: 0), .number("filled in", key: "seconds", unit: "s", decimals: 1)])
            table.add([.number(runs), .number(filling / .seconds(1))])
            return table
        }

        var table = Table(columns: [
            .text("question"), .number("found", decimals: 0), .number("in process", key: "milliseconds", unit: "ms", decimals: 1),
            .number("whole program", key: "program_milliseconds", unit: "ms", decimals: 0),
        ])
        for question in Self.questions(sweeps: sweeps) {
            var found = 0
            let inside = try median(repetitions) { found = try question.ask(index) }
            let outside = try median(repetitions) { try runProgram(question.arguments) }
            table.add([.text(question.name), .number(found), .number(inside), .number(outside)])
        }
        let bytes = ["", "-wal"].reduce(0) { sum, suffix in
            let path = folder.appendingPathComponent("index.sqlite").path + suffix
            return sum + ((try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0)
        }
        table.add(
            footnote: String(
                format: "%d runs filled in %.1f s (%.2f ms a run); the index has %.0f MiB; medians of %d", runs,
                filling / .seconds(1), filling / .milliseconds(1) / Double(runs), Double(bytes) / 1_048_576, repetitions))
        return table
    }

    private var sweeps: Int { max(1, (runs + cells * Self.seeds - 1) / (cells * Self.seeds)) }

    // MARK: Questions

    private struct Question {
        let name: String
        /// The command that answers the same question.
        let arguments: [String]
        /// Returns how many were found.
        let ask: (RunIndex) throws -> Int
    }

    private static func questions(sweeps: Int) -> [Question] {
        func query(_ name: String, _ text: String) -> Question {
            Question(name: name, arguments: ["runs", "query", text]) { index in
                let query = try HistoryQuery(parsing: text, HistoryKeys(index))
                return try query.rows(of: index, columns: HistoryQuery.usualColumns + query.ownColumns).count
            }
        }
        let sweep = "sweep-\(sweeps / 2)"
        let selection = "sweep = '\(sweep)'"
        return [
            Question(name: "list the newest 100", arguments: ["runs", "list"]) { try $0.runs(.init(limit: 100)).count },
            Question(name: "list one sweep", arguments: ["runs", "list", "--sweep", sweep]) { try $0.runs(.init(sweep: sweep)).count },
            Question(name: "list the failed", arguments: ["runs", "list", "--status", "failed"]) {
                try $0.runs(.init(states: [.failed], limit: 100)).count
            },
            query(
                "query: score, settings, status",
                "metrics.gfid.nocfg < 12 and (config.tokenizer.variant = 'prologue' or config.prior.dim in (96, 128)) "
                    + "and status = 'done' order by metrics.gfid.nocfg limit 20"),
            query("query: best of all", "order by metrics.gfid.nocfg limit 20"),
            query(
                "query: settings alone", "config.prior.dim = 128 and config.tokenizer.codebook >= 256 and seed = 2 limit 100"),
            query("query: missing scores", "metrics.gfid.nocfg is null and not status = 'failed' limit 100"),
            query("query: text", "cell like '%variant=prologue%' and created < '2026-03-01' limit 100"),
            Question(
                name: "compare one sweep",
                arguments: ["compare", "--where", selection, "--metric", "gfid.nocfg", "--baseline", "tokenizer.variant = 'baseline-2d'"]
            ) { index in
                let results = try SweepResults(
                    HistoryQuery(parsing: selection, HistoryKeys(index)), of: index, named: "runs",
                    baseline: Sweep.Expression(parsing: "tokenizer.variant = 'baseline-2d'"))
                return try ComparisonTable(results, .init(metrics: ["gfid.nocfg"])).table.rows.count
            },
        ]
    }

    private func median(_ repetitions: Int, _ body: () throws -> Void) throws -> Double {
        // The first is to warm up.
        let times = try (0...repetitions).map { _ in
            let start = ContinuousClock.now
            try body()
            return (ContinuousClock.now - start) / .milliseconds(1)
        }
        return times.dropFirst().sorted()[repetitions / 2]
    }

    private func runProgram(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = Bundle.main.executableURL
        process.arguments = arguments + ["--store", folder.path]
        process.standardOutput = FileHandle.nullDevice
        // Its note that only the newest 100 runs are shown.
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw InputError("prologue \(arguments.joined(separator: " ")) ended with \(process.terminationStatus)")
        }
    }

    // MARK: Made-up runs

    private func fill(_ index: RunIndex) throws {
        let config = RunSettings().json
        try index.fill(
            stages: (0..<runs).lazy.flatMap { stages(of: $0) }, runs: (0..<runs).lazy.map { run($0, config) })
    }

    /// Losses that fall, 600 rows a stage.
    private func writeCurves() throws {
        let store = try Store(directory: folder)
        let first = (0..<min(runs, cells * Self.seeds)).map(roles(of:))
        let stages = Set(first.flatMap { roles in ["tokenizer", "prior"].compactMap { roles[$0] } }).sorted()
        for (number, id) in stages.enumerated() {
            let file = store.stage(id: id).url("metrics.h5")
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            let metrics = try MetricsFile.create(at: file, columns: ["loss", "bits", "gradient_norm", "rate"])
            let level = 1 + Float(number % 50) / 50
            try metrics.append(
                (1...600).map { step in
                    let loss = level * (1 + 40 / Float(step + 10))
                    return MetricsRow(
                        step: step, wallSeconds: Double(step) / 8,
                        values: ["loss": loss, "bits": 256 * loss, "gradient_norm": 1 / loss, "rate": 8])
                })
            try metrics.close()
        }
    }

    /// Where run `number` stands: its sweep, its cell of that sweep, its seed.
    private func place(_ number: Int) -> (sweep: Int, cell: Int, seed: Int) {
        (number / (cells * Self.seeds), number / Self.seeds % cells, number % Self.seeds)
    }

    private static func id(_ kind: String, _ name: String) -> String { "\(kind)-\(sha256(Data(name.utf8)).prefix(12))" }

    /// The names of the stages that a run is made of: those that only depend on the tokenizer are shared.
    private func roles(of number: Int) -> [String: String] {
        let (sweep, cell, seed) = place(number)
        let tokenizer = "\(sweep) \(cell % 4) \(seed)"
        return [
            "features": Self.id("features", ""), "tokenizer": Self.id("tokenizer", tokenizer), "tokens": Self.id("tokens", tokenizer),
            "reconstructions": Self.id("reconstructions", tokenizer), "probe": Self.id("probe", tokenizer),
            "prior": Self.id("prior", "\(number)"), "samples.nocfg": Self.id("samples", "\(number)"),
            "scores.nocfg": Self.id("scores", "\(number)"),
        ]
    }

    private func run(_ number: Int, _ config: JSONValue) -> IndexedRun {
        let (sweep, cell, seed) = place(number)
        var sections = config.objectValue ?? [:]
        func set(_ section: String, _ values: [String: JSONValue]) {
            sections[section] = .object((sections[section]?.objectValue ?? [:]).merging(values) { $1 })
        }
        let (variant, codebook, dim) = (Self.variants[cell % 2], [256, 512][cell / 2 % 2], [64, 96, 128, 192, 256][cell / 4 % 5])
        set("tokenizer", ["variant": .string(variant), "codebook": .int(codebook), "steps": .int(1000 + sweep % 50)])
        let (layers, batch) = (2 + cell / 20 % 5, 32 * (1 + cell / 100))
        set("prior", ["dim": .int(dim), "layers": .int(layers), "batch": .int(batch), "steps": .int(500 + sweep % 70)])
        set("seeds", ["tokenizer": .int(seed), "prior": .int(seed), "sampler": .int(seed)])
        sections["seed"] = .int(seed)
        let date = Date(timeIntervalSince1970: 1_770_000_000 + 200 * Double(number))
        let record = RunRecord(
            sweep: "sweep-\(sweep)",
            cell: "variant=\(variant),codebook=\(codebook),prior.dim=\(dim)"
                + (cells > 20 ? ",prior.layers=\(layers),prior.batch=\(batch)" : ""),
            seed: seed,
            seeds: ["tokenizer": seed, "prior": seed, "sampler": seed], config: .object(sections), stages: self.roles(of: number),
            codeVersion: CodeVersion(commit: "0123456789abcdef", hasLocalChanges: false), machine: Self.machine, created: date)
        let state: RunStore.Status.State = number % 100 == 7 ? .failed : number % 100 == 8 ? .interrupted : .done
        return IndexedRun(
            run: record, status: RunStore.Status(state, step: 8, of: 8, wallSeconds: 300, updated: date.addingTimeInterval(300)))
    }

    private static let machine = Machine.current()

    /// The stages that run `number` is the first to have.
    private func stages(of number: Int) -> [IndexedStage] {
        let (_, cell, seed) = place(number)
        let roles = self.roles(of: number)
        let firstOfTokenizer = cell < 4
        var generator = SplitMix64(seed: UInt64(number))
        func stage(_ role: String, _ inputs: [String], _ summary: JSONValue, _ scores: [String: Scores] = [:]) -> IndexedStage {
            let id = roles[role] ?? ""
            let kind = String(id.prefix { $0 != "-" })
            let started = Date(timeIntervalSince1970: 1_770_000_000 + 200 * Double(number))
            return IndexedStage(
                id: id,
                record: StageRecord(
                    id: id,
                    identity: StageIdentity(
                        kind: kind, settings: ["seed": .int(seed)],
                        inputs: Dictionary(uniqueKeysWithValues: inputs.map { ($0, roles[$0] ?? "") }), formatVersion: 1),
                    summary: summary, codeVersion: CodeVersion(commit: "0123456789abcdef", hasLocalChanges: false),
                    machine: Self.machine, started: started, finished: started.addingTimeInterval(100), wallSeconds: 100,
                    peakMemoryBytes: 1 << 30),
                measurements: scores)
        }
        let quality = 10 + Double(cell) / 2 + 4 * Double.random(in: 0..<1, using: &generator)
        let space: JSONValue = ["features": .string(roles["features"] ?? ""), "reference_count": 10_000]
        var found = number == 0 ? [stage("features", [], [:])] : []
        if firstOfTokenizer {
            found += [
                stage("tokenizer", [], ["steps": 1000, "images_seen": 128_000, "parameters": 1_700_000]),
                stage("tokens", ["tokenizer"], [:]),
                stage(
                    "reconstructions", ["tokenizer", "features"], [:],
                    ["fashion-cnn": Scores(protocol: space, values: ["rfid@fashion-cnn": quality / 4, "l1": 0.05, "fid_floor": 1.1])]),
                stage(
                    "probe", ["tokens"], [:],
                    [
                        "probe": Scores(
                            protocol: ["train_count": 10_000],
                            values: ["probe.top1": 0.4 + 0.3 * Double.random(in: 0..<1, using: &generator), "probe.top5": 0.9])
                    ]),
            ]
        }
        let bits: [String: Double?] = ["bits.conditional.visual": 300, "bits.unconditional.visual": 320]
        found += [
            stage(
                "prior", ["tokens"], ["steps": 600, "sequences_seen": 76_800, "parameters": 900_000],
                ["summary": Scores(protocol: ["stage": "prior"], values: bits)]),
            stage("samples.nocfg", ["prior"], ["count": 2000]),
            stage(
                "scores.nocfg", ["samples.nocfg", "reconstructions", "features"], [:],
                [
                    "fashion-cnn.nocfg": Scores(
                        protocol: .object(
                            (space.objectValue ?? [:]).merging(["count": 2000, "seed": .int(seed), "sampler": ["temperature": 1]]) { $1 }),
                        values: [
                            // Runs that failed or were interrupted have none.
                            "gfid@fashion-cnn.nocfg": [7, 8].contains(number % 100) ? nil : quality,
                            "prior_gap@fashion-cnn.nocfg": quality / 2, "gfid_noise@fashion-cnn.nocfg": 0.3,
                            "class_agreement@fashion-cnn.nocfg": 0.8,
                        ])
                ]),
        ]
        return found
    }
}
