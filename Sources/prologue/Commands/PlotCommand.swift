import ArgumentParser
import Evaluation
import Experiment
import Files
import Foundation
import Metrics
import Report
import RunStore
import Sweep

struct PlotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plot", abstract: "Draw one plot of a sweep into a file.",
        discussion: """
            A score is drawn as bars with 95 % intervals over seeds, an arm each; a column that a stage logged, such as prior.loss,
            as curves with bands from the lowest to the highest seed. PNG and PDF need rsvg-convert (Debian: librsvg2-bin).

              prologue plot sweep.yaml --metric gfid.nocfg --out gfid.svg
              prologue plot sweep.yaml --metric prior.loss --smoothing 0.6 --out loss.svg
            """)

    @OptionGroup var sweep: SweepCommand.FileOptions
    @Option(help: "A score, or STAGE.COLUMN with tokenizer, prior or features.", completion: .metrics) var metric: String
    @Option(help: "The file: .svg, .png or .pdf.", completion: .file(extensions: ["svg", "png", "pdf"])) var out: String
    @Option(help: "Curves: so much of each point comes from those before it, 0 to 0.99.") var smoothing = 0.0
    @Flag(help: "Curves: end at the last step that all arms have reached.") var common = false
    @Option(help: "Pixels across.") var width = 720
    @Option(help: "Pixels down.") var height = 440
    @OptionGroup var store: StoreOptions
    @OptionGroup var archive: ArchiveOptions

    private static let kinds = ["svg", "png", "pdf"]
    private var file: URL { URL(fileURLWithPath: out) }

    func validate() throws {
        guard Self.kinds.contains(file.pathExtension) else { throw ValidationError("--out must end in .svg, .png or .pdf, not '\(out)'") }
        guard (0...0.99).contains(smoothing) else { throw ValidationError("--smoothing must be 0 to 0.99, not \(smoothing)") }
        guard (200...10_000).contains(width), (200...10_000).contains(height) else {
            throw ValidationError("--width and --height must be 200 to 10000, not \(width) and \(height)")
        }
    }

    func run() throws {
        let loaded = try sweep.load()
        let store = try archive.existing(store, beside: sweep.file)
        let results = try SweepResults(loaded, in: store)
        let svg = try curves(results, in: store) ?? bars(results)
        guard file.pathExtension != "svg" else { return try AtomicFile.write(Data(svg.utf8), to: file) }
        try convert(svg)
    }

    /// Nil where the metric is no column of a stage.
    private func curves(_ results: SweepResults, in store: Store) throws -> String? {
        let parts = metric.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, ["tokenizer", "prior", "features"].contains(parts[0]) else { return nil }
        let curves = ArmCurves(results, of: parts[0]) { try? MetricsFile.read(store.stage(id: $0).verified("metrics.h5")) }
        guard let plot = curves.plot(parts[1], smoothing: smoothing, toCommonStep: common) else {
            let hint = nearest(to: parts[1], among: curves.columns).map { "; did you mean \(parts[0]).\($0)?" } ?? ""
            throw InputError("no \(parts[0]) of this sweep has logged '\(parts[1])'\(hint)")
        }
        return plot.svg(width: Double(width), height: Double(height))
    }

    private func bars(_ results: SweepResults) throws -> String {
        let name = try results.metricName(metric)
        let measured = results.arms.map { arm in (arm.label, arm.values(name).map(\.value)) }.filter { !$0.1.isEmpty }
        guard !measured.isEmpty else { throw InputError("no run of this sweep has a value of \(name)") }
        let score = MetricName(name)
        let series = measured.map { label, values in
            let estimate = values.count > 1 ? Estimate(of: values) : nil
            let mean = estimate?.mean ?? values[0]
            return BarPlot.Series(
                label,
                values: [BarPlot.Value(mean, interval: estimate?.interval.map { ($0.low...$0.high).clamped(to: score.measure.possible) })])
        }
        let plot = BarPlot(title: score.title, xLabel: "arm", yLabel: score.title, groups: [""], series: series)
        return plot.svg(width: Double(width), height: Double(height))
    }

    private func convert(_ svg: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("prologue-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (source, picture) = (folder.appendingPathComponent("plot.svg"), folder.appendingPathComponent("plot.\(file.pathExtension)"))
        try Data(svg.utf8).write(to: source)
        let (process, errors) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // Twice the size, so that letters stay sharp in print.
        process.arguments = [
            "rsvg-convert", "--zoom", file.pathExtension == "png" ? "2" : "1", "--format", file.pathExtension, "--output", picture.path,
            source.path,
        ]
        process.standardError = errors
        try process.run()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus != 127 else {
            throw InputError(
                file: file.path, "cannot be made without rsvg-convert (Debian: librsvg2-bin); --out with .svg needs nothing")
        }
        guard process.terminationStatus == 0 else {
            throw InputError(file: file.path, "cannot be made: rsvg-convert says '\(said.trimmingCharacters(in: .whitespacesAndNewlines))'")
        }
        try AtomicFile.write(Data(contentsOf: picture), to: file)
    }
}
