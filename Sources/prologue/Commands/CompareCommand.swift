import ArgumentParser
import Experiment
import Files
import Foundation
import Report
import RunStore
import Sweep

struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Compare arms: scores with intervals, budgets, differences to the baseline.",
        discussion: """
            Groups runs by everything but the seed: those of a sweep file, or those that a query to the history finds. Scores
            measured under different protocols get a column each unless --mix-protocols is given. Reads the store alone: the
            sweep's data need not be on this machine. An archive of its runs ('runs archive') is read beside the store.

              prologue compare Experiments/01-quickstart/sweep.yaml
              prologue compare sweep.yaml --metric gfid.nocfg --metric probe.top1 --markdown
              prologue compare sweep.yaml --rows tokenizer.variant --columns seed --latex
              prologue compare sweep.yaml --latex --differences
              prologue compare sweep.yaml --csv --per-seed > seeds.csv
              prologue compare sweep.yaml --variance --metric prior_gap.nocfg
              prologue compare --where "tags.paper" --metric gfid.nocfg
            """)

    @Argument(help: "Sweep file (YAML).", completion: .file(extensions: ["yaml", "yml"])) var file: String?
    @Option(name: .customLong("set"), help: "Override a setting of the sweep file, such as prior.steps=500; may be repeated.")
    var overrides: [String] = []
    @Option(help: "Only cells of the sweep file that meet a condition.") var only: String?
    @Option(name: .customLong("where"), help: "Compare the runs that a query finds, as in 'runs query', of any sweeps.")
    var query: String?
    @Option(help: "A score to show, such as gfid.nocfg; may be repeated (default: the sweep's, else the usual ones).", completion: .metrics)
    var metric: [String] = []
    @Option(help: "With --where: a condition that the baseline's settings meet.") var baseline: String?
    @Option(help: "What is averaged over; may be repeated (default: the sweep's, else seed).") var over: [String] = []
    @Option(help: "A row for each value of this setting; may be repeated.") var rows: [String] = []
    @Option(help: "A column for each value of this setting; may be repeated.") var columns: [String] = []
    @Option(help: "Where several arms share a place: the best by this score. How many were tried is said below.")
    var select: String?
    @Flag(help: "Put values measured under different protocols in one column; which is which is said below.")
    var mixProtocols = false
    @Flag(exclusivity: .exclusive) var part: Part?
    @Flag(help: "How much of each score's variance is tokenizer, prior, sampler and feature seed, instead of the comparison.")
    var variance = false
    @OptionGroup var store: StoreOptions
    @OptionGroup var archive: ArchiveOptions
    @OptionGroup var output: TableOptions

    /// A table beside that of the scores.
    enum Part: String, EnumerableFlag {
        case differences, endpoints, blocks, perSeed

        var flag: String { self == .perSeed ? "--per-seed" : "--\(rawValue)" }

        static func help(for part: Part) -> ArgumentHelp? {
            switch part {
            case .differences: "With --csv: the differences to the baseline instead of the scores; with --latex: as a second table."
            case .endpoints: "The same of the endpoints that the sweep file names, with Holm's correction."
            case .blocks: "The same of the analysis of arms by seeds."
            case .perSeed: "The same of every value, a row a run."
            }
        }
    }

    func validate() throws {
        guard (file == nil) != (query == nil) else {
            throw ValidationError("compare either a sweep file or the runs that --where finds")
        }
        if query != nil, only != nil || !overrides.isEmpty {
            throw ValidationError("--only and --set are for sweep files; write conditions into --where")
        }
        if file != nil, baseline != nil { throw ValidationError("--baseline is for --where; a sweep file has compare.baseline") }
        if let part, output.format != .csv, output.format != .latex {
            throw ValidationError("\(part.flag) is for --csv and --latex; other formats show all tables")
        }
        if variance, !rows.isEmpty || !columns.isEmpty || select != nil || part != nil {
            throw ValidationError("--variance has a table of its own, without --rows, --columns, --select or a part of the comparison")
        }
    }

    func run() async throws {
        var request = ComparisonTable.Request(metrics: metric)
        (request.rows, request.columns) = (rows, columns)
        (request.select, request.mixesProtocols) = (select, mixProtocols)
        let results: SweepResults
        if let file {
            let sweep = try SweepFile(loading: URL(fileURLWithPath: file), overrides: overrides, only: only)
            results = try SweepResults(sweep, in: archive.existing(store, beside: file), over: over)
            if metric.isEmpty { (request.metrics, request.allowsMissing) = (sweep.compare.metrics, true) }
            request.endpoints = sweep.compare.endpoints
            (request.published, request.missing) = (sweep.compare.published, sweep.missingCheckpoints)
        } else {
            results = try found()
        }
        guard !variance else { return output.show(try VarianceTable(results, metrics: metric).table) }
        try show(ComparisonTable(results, request), results)
    }

    private func found() throws -> SweepResults {
        let index = try RunsCommand.index(of: archive.existing(store))
        let keys = try HistoryKeys(index)
        let settings = keys.settings
        for key in over where key != "seed" && !settings.contains(where: { $0 == key || $0.hasPrefix("\(key).") }) {
            let hint = nearest(to: key, among: settings).map { "; did you mean \($0)?" } ?? ""
            throw InputError("--over: no run has a setting \(key)\(hint)")
        }
        let results = try SweepResults(
            HistoryQuery(parsing: query ?? "", keys), of: index, named: "runs",
            baseline: baseline.map { try Sweep.Expression(parsing: $0) }, over: over.isEmpty ? ["seed"] : over)
        guard !results.arms.isEmpty else { throw InputError("no run meets the condition: \(query ?? "")") }
        return results
    }

    private func show(_ comparison: ComparisonTable, _ results: SweepResults) throws {
        let tables = [comparison.published, comparison.endpoints, comparison.shownDifferences, comparison.blocks]
        func table(_ part: Part?) -> Table? {
            switch part {
            case nil: nil
            case .differences: comparison.differences
            case .endpoints: comparison.endpoints
            case .blocks: comparison.blocks
            case .perSeed: comparison.seeds
            }
        }
        switch output.format {
        case .json:
            guard case .object(var members) = comparison.table.json else { return }
            members["differences"] = comparison.differences.json
            members["endpoints"] = comparison.endpoints.json
            members["blocks"] = comparison.blocks.json
            members["published"] = comparison.published.json
            members["seeds"] = comparison.seeds.json
            members["noise"] = .string(comparison.noise)
            members["verdicts"] = .array(comparison.verdicts.map { .string($0) })
            print(JSONValue.object(members).pretty, terminator: "")
        case .csv:
            output.show(table(part) ?? comparison.table)
        case .latex:
            output.show(comparison.table)
            if let table = table(part), !table.rows.isEmpty {
                print("\n\\bigskip\n")
                output.show(part == .differences ? comparison.shownDifferences : table)
                if part == .differences { for sentence in comparison.verdicts { print("\n" + latexNote(sentence)) } }
            }
            print("\n" + latexNote(comparison.noise))
        case .markdown:
            output.show(comparison.table)
            for table in tables where !table.rows.isEmpty {
                print()
                output.show(table)
            }
            for sentence in comparison.verdicts + [comparison.noise] { print("\n" + escapedForMarkdown(sentence)) }
        case nil:
            output.show(comparison.table)
            print()
            for table in tables where !table.rows.isEmpty {
                output.show(table)
                print()
            }
            for sentence in comparison.verdicts { print(sentence.printable()) }
            print(comparison.noise)
            if file != nil { SweepCommand.printPictures(results, in: try Store(directory: store.directory)) }
        }
    }
}
