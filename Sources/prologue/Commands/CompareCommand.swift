import ArgumentParser
import Experiment
import Files
import Foundation
import Report

struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Compare the arms of a sweep: scores with intervals, budgets, differences.",
        discussion: """
            Groups runs by everything but the seed. Scores measured under different protocols are never put in one column.

              prologue compare Experiments/01-quickstart/sweep.yaml
              prologue compare sweep.yaml --metric gfid.nocfg --metric probe.top1 --markdown
            """)

    @OptionGroup var sweep: SweepCommand.FileOptions
    @Option(help: "A score to show, such as gfid.nocfg; may be repeated (default: the sweep's, else the usual ones).")
    var metric: [String] = []
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: TableOptions

    func run() async throws {
        let file = try sweep.load()
        let context = try store.context()
        let results = try SweepResults(file, context)
        let comparison = try ComparisonTable(results, metrics: metric.isEmpty ? file.compare.metrics : metric)
        output.show(comparison.table)
        if output.format == nil {
            print("\n" + comparison.noise)
            SweepCommand.printPictures(results, in: context.store)
        }
    }
}
