import ArgumentParser
import Experiment
import Foundation
import Report

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Write a sweep's results as one HTML file, and as Markdown with its pictures.",
        discussion: """
            The HTML file holds everything itself and needs no network: the question, the comparison, the plan, training
            curves with bands over seeds, pictures, and where each number came from.

              prologue report Experiments/01-quickstart/sweep.yaml
              prologue report sweep.yaml --output results/my-sweep
              prologue report sweep.yaml --pictures first
            """)

    @OptionGroup var sweep: SweepCommand.FileOptions
    @OptionGroup var store: StoreOptions
    @OptionGroup var archive: ArchiveOptions
    @Option(help: "Folder to write to (default: reports/NAME in the store).", completion: .directory)
    var output: String?

    @Option(help: "Samples and other pictures: of all seeds, of each arm's first seed (a smaller file), or none.")
    var pictures = SweepReport.Pictures.all

    func run() async throws {
        let file = try sweep.load()
        let store = try archive.existing(store, beside: sweep.file)
        let folder =
            output.map { URL(fileURLWithPath: $0, isDirectory: true) }
            ?? store.directory.appendingPathComponent("reports/\(file.name)", isDirectory: true)
        let html = try SweepReport(file, SweepResults(file, in: store), in: store, pictures: pictures).write(to: folder)
        print("report: \(html.path)")
        print("        \(folder.appendingPathComponent("report.md").path)")
    }
}

extension SweepReport.Pictures: ExpressibleByArgument {}
