import ArgumentParser
import Experiment
import Files
import Foundation

struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train the models of a sweep's cells, without sampling and scoring them.",
        discussion: """
            Works on the stage asked for and on what it needs; 'prologue sweep run' does the rest later.

              prologue train sweep.yaml
              prologue train sweep.yaml --stage tokenizer
            """)

    @OptionGroup var sweep: SweepCommand.FileOptions
    @Option(help: "The last stage to work on, such as tokenizer, tokens or prior.") var stage = "prior"
    @OptionGroup var workforce: WorkforceOptions
    @OptionGroup var store: StoreOptions

    func run() async throws {
        let file = try sweep.load()
        Interruption.listen()
        let context = try store.context(threads: workforce.choice.threads, device: workforce.device.choice)
        try report(workforce.run(SweepRunner(file, context), context, upTo: stage), isQuiet: store.quiet)
    }
}
