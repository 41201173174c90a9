import Accelerators
import ArgumentParser
import Files
import Foundation
import Report

extension AbsentDevice: ExpressibleByArgument {}

struct CompileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compile", abstract: "Compile programs of the paper's sizes for a device that need not be there.",
        discussion: """
            Nothing runs. The table has the compiler's account of memory, and the bytes that the compiled program moves, added up
            from its text: in products, in fused attention, in sums over devices, and elsewhere, which limits a step.

              prologue compile --for h100 prior-b --most-elsewhere 38
              make check-h100
            """)

    @Argument(help: "Programs: \(PaperProgram.allCases.map(\.rawValue).joined(separator: ", ")) (default: all).")
    var programs: [String] = []
    @Option(name: .customLong("for"), help: "What for: \(AbsentDevice.allCases.map(\.rawValue).joined(separator: ", ")).")
    var device = AbsentDevice.h100
    @Option(help: ArgumentHelp("The plugin's file (default: the one of its name that is found).", valueName: "file")) var plugin: String?
    @Option(help: ArgumentHelp("Fail where a program moves more than this elsewhere, in GB.", valueName: "GB")) var mostElsewhere: Double?
    @Option(help: ArgumentHelp("Leave programs and what the compiler wrote there.", valueName: "folder")) var keep: String?
    @Option(help: ArgumentHelp("Also list the kernels elsewhere that move the most.", valueName: "count")) var kernels = 0
    @OptionGroup var output: TableOptions

    func run() throws {
        let chosen = try programs.isEmpty ? PaperProgram.allCases : programs.map { try namedCase($0, what: "program") }
        let compiler = try AheadCompiler(device, plugin: plugin)
        var table = Table(columns: [
            .text("program"), .number("compiling", key: "seconds", unit: "s", decimals: 1),
            .number("of it\nprocessor", key: "processor_seconds", unit: "s", decimals: 1),
            .number("executable", key: "executable_mb", unit: "MB", decimals: 1), .number("peak", key: "peak_gb", unit: "GB", decimals: 1),
            .number("elsewhere", key: "elsewhere_gb", unit: "GB", decimals: 1), .number("kernels", decimals: 0),
            .number("products", key: "products_gb", unit: "GB", decimals: 1),
            .number("attention", key: "attention_gb", unit: "GB", decimals: 1),
            .number("sums over\ndevices", key: "collectives_gb", unit: "GB", decimals: 1),
        ])
        var mistakes: [String] = []
        for program in chosen {
            let folder = keep.map { URL(fileURLWithPath: $0, isDirectory: true).appendingPathComponent(program.rawValue) }
            let result = try compiler.compile(program.traced(), keep: folder)
            func gb(_ bytes: Int) -> Double { Double(bytes) / 1e9 }
            let elsewhere = result.traffic[.elsewhere]
            table.add([
                .text(program.title), .number(result.seconds), .number(result.processorSeconds), .number(Double(result.size) / 1e6),
                .number(gb(result.memory.peak)),
                .number(gb(elsewhere.bytes)), .number(Double(elsewhere.kernels)), .number(gb(result.traffic[.products].bytes)),
                .number(gb(result.traffic[.attention].bytes)), .number(gb(result.traffic[.collectives].bytes)),
            ])
            if result.memory.peak > device.memory { mistakes.append("\(program.rawValue) does not fit the device's memory") }
            if let mostElsewhere, gb(elsewhere.bytes) > mostElsewhere {
                mistakes.append("\(program.rawValue) moves \(gb(elsewhere.bytes)) GB elsewhere, more than \(mostElsewhere)")
            }
            let largest = result.traffic.kernels.filter { $0.kind == .elsewhere }.sorted { $0.bytes > $1.bytes }.prefix(kernels)
            for kernel in largest {
                table.add(
                    footnote: "\(kernel.name): \(kernel.read / 1_000_000) MB + \(kernel.written / 1_000_000) MB, \(kernel.times) times")
            }
        }
        output.show(table)
        if !mistakes.isEmpty { throw InputError(mistakes.joined(separator: "; ")) }
    }
}
