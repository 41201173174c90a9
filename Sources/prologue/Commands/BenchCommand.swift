import Accelerators
import ArgumentParser
import Experiment
import Files
import Foundation
import Report
import Settings
import TensorCore

extension Precision: ExpressibleByArgument {}
extension DataSettings.Cache: ExpressibleByArgument {}

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Time the engine on fixed workloads, the measures, or the run history.",
        discussion: """
            Unset OPENBLAS_CORETYPE when measuring; `make bench` runs the same workloads in PyTorch in turn with these.

              env -u OPENBLAS_CORETYPE prologue bench ar-step --repetitions 5
              prologue bench ar-step --precision bfloat16 --profile
              prologue bench ar-step --precision bfloat16 --device xla
              prologue bench --scaling --plot scaling.svg
              prologue bench --index 100000
              prologue bench --metrics
              prologue bench --loader imagenet.zip --data-set imagenet
            """)

    @Argument(help: "Workloads: \(Workload.allCases.map(\.rawValue).joined(separator: ", ")) (default: all).")
    var workloads: [String] = []
    @Option(help: "Timed repetitions of each, after two to warm up.") var repetitions = 5
    @Option(help: "What matrix products multiply: \(Precision.allCases.map(\.rawValue).joined(separator: " or ")).")
    var precision = Precision.float32
    @OptionGroup var device: DeviceOptions
    @Flag(help: "Answer requests '<workload> <repetitions>' on standard input with a JSON line each.") var serve = false
    @Option(help: ArgumentHelp("Fill an index with so many made-up runs and time questions to it instead.", valueName: "runs"))
    var index: Int?
    @Option(help: ArgumentHelp("With --index: keep the store in this new folder (default: a temporary one).", valueName: "folder"))
    var keep: String?
    @Option(help: ArgumentHelp("With --index: cells of each sweep, 20 to \(IndexBench.mostCells).", valueName: "cells")) var cells = 20
    @Flag(help: "With --index and --keep: only fill the store, also with curves of the first sweep, for bench/live_page.py.") var curves =
        false
    @Flag(help: "Time Fréchet distance, its statistics, and precision and recall on 2048 features instead.") var metrics = false
    @Flag(help: "Show where the time of a workload goes, op by op.") var profile = false
    @Flag(help: "Time AR training steps of growing sizes.") var scaling = false
    @Option(help: ArgumentHelp("With --scaling: also draw them there, as SVG.", valueName: "file")) var plot: String?
    @Option(help: ArgumentHelp("Also append each measurement to this file, a JSON line each.", valueName: "file"))
    var append: String?
    @Option(help: ArgumentHelp("Open a data set and time random crops of its pictures instead.", valueName: "path"))
    var loader: String?
    @Option(help: "With --loader: what data it is, as data.set has it.") var dataSet = DataSettings.Collection.imageFolder.rawValue
    @Option(help: ArgumentHelp("With --loader: side of the crops.", valueName: "pixels")) var imageSize = 256
    @Option(help: "With --loader: what is kept decoded, as data.cache has it; squares have no random crops.") var cache = DataSettings.Cache
        .none
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Time programs of the paper's sizes on --device instead: \(PaperProgram.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "programs"))
    var programs: [String] = []
    @Flag(help: "With --programs: networks so small that a processor runs them at once.") var toy = false
    @OptionGroup var output: TableOptions

    func validate() throws {
        if !programs.isEmpty {
            if device.name == "cpu" { throw ValidationError("--programs needs a --device that runs programs, such as xla") }
            if loader != nil || metrics || index != nil || serve || profile || scaling || !workloads.isEmpty {
                throw ValidationError("--programs goes with --device, --repetitions, --append and --toy only")
            }
        } else if toy {
            throw ValidationError("--toy goes with --programs")
        }
        if loader != nil, metrics || index != nil || serve || profile || scaling || !workloads.isEmpty {
            throw ValidationError("--loader goes with --data-set, --image-size, --cache and --repetitions only")
        }
        let sets = DataSettings.Collection.allCases.map(\.rawValue)
        if !sets.contains(dataSet) {
            let hint = nearest(to: dataSet, among: sets).map { "; did you mean '\($0)'?" } ?? ""
            throw ValidationError("--data-set must be one of \(sets.joined(separator: ", ")), not '\(dataSet)'\(hint)")
        }
        if metrics, index != nil || serve || !workloads.isEmpty {
            throw ValidationError("--metrics goes with no workloads, no --index and no --serve")
        }
        if let index, index < 1 { throw ValidationError("--index must be at least 1, not \(index)") }
        if index != nil, serve || !workloads.isEmpty { throw ValidationError("--index goes with no workloads and no --serve") }
        guard (20...IndexBench.mostCells).contains(cells) else {
            throw ValidationError("--cells must be 20 to \(IndexBench.mostCells), not \(cells)")
        }
        if index == nil, cells != 20 || curves { throw ValidationError("--cells and --curves go with --index") }
        if curves, keep == nil { throw ValidationError("--curves goes with --keep") }
        if index == nil, keep != nil { throw ValidationError("--keep goes with --index") }
        if profile, scaling || serve || metrics || index != nil || workloads.count != 1 {
            throw ValidationError("--profile goes with one workload and nothing else")
        }
        if scaling, serve || metrics || index != nil || !workloads.isEmpty { throw ValidationError("--scaling goes alone") }
        if plot != nil, !scaling { throw ValidationError("--plot goes with --scaling") }
        if append != nil, serve || scaling || profile { throw ValidationError("--append goes with timed workloads only") }
        if device.name != "cpu", loader != nil || metrics || index != nil || profile || scaling {
            throw ValidationError("--device goes with timed workloads only")
        }
        if loader != nil, repetitions == 0 { return }
        guard repetitions > 0 else { throw ValidationError("--repetitions must be at least 1, not \(repetitions)") }
    }

    func run() throws {
        if serve { return try answerRequests() }
        if !programs.isEmpty { return try benchPrograms() }
        if let index { return try benchIndex(index) }
        if metrics { return output.show(try MetricsBench().table(repetitions: repetitions)) }
        if scaling { return try benchScaling() }
        if let loader { return try benchLoader(loader) }
        if profile {
            return output.show(ProfileTable(workload: try namedCase(workloads[0], what: "workload"), precision: precision).table())
        }
        let accelerator = try device.choice.open()
        let chosen = try workloads.isEmpty ? Workload.allCases : workloads.map { try namedCase($0, what: "workload") }
        var table = Table(columns: [
            .text("workload"), .number("median", key: "seconds", unit: "s", decimals: 3),
            .number("tokens/s", decimals: 0), .number("images/s", decimals: 1), .number("GFLOP/s", decimals: 0),
            .number("of ceiling", key: "percent_of_ceiling", unit: "%", decimals: 0),
            .number("tensors", key: "tensor_mib", unit: "MiB", decimals: 0),
            .number("process", key: "peak_mib", unit: "MiB", decimals: 0),
        ])
        for workload in chosen {
            let measured = try Self.measure(workload, precision, on: accelerator, repetitions)
            if let append { try Self.append(measured.line, to: append) }
            table.add([
                .text(workload.rawValue), .number(Double(workload.images) / measured.images_per_second),
                .number(measured.tokens_per_second), .number(measured.images_per_second),
                .number(measured.gflop_per_second),
                .number(measured.ceiling_gflop_per_second.map { 100 * measured.gflop_per_second / $0 }),
                .number(measured.tensor_mib), .number(measured.peak_mib),
            ])
        }
        let place = accelerator?.description ?? "OpenBLAS core \(BLAS.core), \(Parallel.threads) threads"
        table.add(footnote: "\(place); GFLOP/s of matrix products alone")
        output.show(table)
    }

    private func benchPrograms() throws {
        let chosen: [PaperProgram] = try programs.map { try namedCase($0, what: "program") }
        guard let accelerator = try device.choice.open() else { return }
        let bench = ProgramBench(accelerator: accelerator, scale: toy ? .toy : .paper, repetitions: repetitions)
        if let shared = chosen.first(where: { $0.replicas > 1 }) {
            throw InputError("\(shared.rawValue) is for several devices; `prologue compile` counts what it moves, and nothing times it")
        }
        let measured = try chosen.map { program in
            let result = try bench.measure(program)
            if let append { try Self.append(result.line, to: append) }
            return result
        }
        output.show(ProgramBench.table(measured))
    }

    private func benchScaling() throws {
        let (table, plot) = ScalingBench(precision: precision, repetitions: repetitions).run()
        if let path = self.plot { try AtomicFile.write(Data(plot.svg().utf8), to: URL(fileURLWithPath: path)) }
        output.show(table)
    }

    /// Repetitions are batches of 256 pictures; 0: the data set is opened and no more.
    private func benchLoader(_ path: String) throws {
        var data = DataSettings()
        data.set = DataSettings.Collection(rawValue: dataSet) ?? data.set
        (data.path, data.imageSize, data.cache) = (path, imageSize, cache)
        let rate = try LoadingRate(data, batches: repetitions)
        let cores = ProcessInfo.processInfo.activeProcessorCount
        var table = Table(columns: [
            .text("data"), .number("training\nimages", key: "train", decimals: 0), .number("held\nout", key: "test", decimals: 0),
            .number("opening", unit: "s", decimals: 2), .number("again", unit: "s", decimals: 2),
            .number("filling", unit: "s", decimals: 1), .number("images/s", decimals: 1),
            .number("images/s\nand core", key: "images_per_second_and_core", decimals: 1),
            .number("process", key: "peak_mib", unit: "MiB", decimals: 0),
        ])
        table.add([
            .text(data.set.rawValue), .number(rate.train), .number(rate.test), .number(rate.opening), .number(rate.openingAgain),
            .number(rate.filling),
            .number(rate.imagesPerSecond), .number(rate.imagesPerSecond.map { $0 / Double(cores) }),
            .number(Double(rate.peakBytes) / 1_048_576),
        ])
        table.add(
            footnote:
                "\(cache == .squares ? "middles" : "random crops, edges of 1 to 1.25 times the side"), mirrored by half; \(cores) cores")
        output.show(table)
    }

    private static func append(_ measured: String, to path: String) throws {
        let line = Data((measured + "\n").utf8)
        if !FileManager.default.fileExists(atPath: path) {
            guard FileManager.default.createFile(atPath: path, contents: nil) else {
                throw InputError(file: path, "cannot be made")
            }
        }
        guard let file = FileHandle(forWritingAtPath: path) else { throw InputError(file: path, "cannot be written") }
        defer { try? file.close() }
        try file.seekToEnd()
        try file.write(contentsOf: line)
    }

    private func benchIndex(_ runs: Int) throws {
        let folder =
            keep.map { URL(fileURLWithPath: $0, isDirectory: true) }
            ?? FileManager.default.temporaryDirectory.appendingPathComponent("index-bench-\(UUID().uuidString)")
        // An existing folder would be overwritten.
        guard !FileManager.default.fileExists(atPath: folder.path) else {
            throw InputError(file: folder.path, "is there already; --keep wants a new folder")
        }
        defer { if keep == nil { try? FileManager.default.removeItem(at: folder) } }
        output.show(try IndexBench(runs: runs, folder: folder, cells: cells, hasCurves: curves).table(repetitions: repetitions))
    }

    private static func measure(
        _ workload: Workload, _ precision: Precision, on accelerator: Accelerator?, _ repetitions: Int
    ) throws -> Measurement {
        let repetition = try warm(workload, precision, on: accelerator)
        return try Measurement(workload, precision, on: accelerator, repetition, repetitions: repetitions)
    }

    /// A repetition that was done twice.
    private static func warm(_ workload: Workload, _ precision: Precision, on accelerator: Accelerator?) throws -> () throws -> Void {
        let repetition = try accelerator.map { try workload.repetition(precision, on: $0) } ?? workload.repetition(precision)
        for _ in 0..<2 { try repetition() }
        return repetition
    }

    /// Keeps workloads warm between requests, so that two sides can be timed in turn.
    private func answerRequests() throws {
        var ready: [Workload: () throws -> Void] = [:]
        let accelerator = try device.choice.open()
        while let line = readLine() {
            let words = line.split(separator: " ")
            guard words.count == 2, let count = Int(words[1]), count > 0 else {
                throw InputError("a request is '<workload> <repetitions>', not '\(line)'")
            }
            let workload: Workload = try namedCase(String(words[0]), what: "workload")
            let repetition = try ready[workload] ?? Self.warm(workload, precision, on: accelerator)
            ready[workload] = repetition
            let measured = try Measurement(workload, precision, on: accelerator, repetition, repetitions: count)
            print(try measured.line)
        }
    }
}
