import ArgumentParser
import Experiment
import Foundation
import Settings

struct ResampleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resample", abstract: "Hold the prologue of held-out images and draw the rest anew.",
        discussion: """
            Each row of the picture starts from one held-out image and keeps its prologue tokens (or its first tokens,
            for a tokenizer without a prologue).

              prologue resample quickstart-prologue-s0 --rows 10 --columns 8 --unconditional
            """)

    @Argument(help: "Run id, or the beginning of one.", completion: .runs) var run: String
    @Option(help: "Held-out images, classes in turn.") var rows = 6
    @Option(help: "Draws of each.") var columns = 8
    @Option(help: "Temperature.") var temperature = 1.0
    @Flag(help: "Without telling the model the class.") var unconditional = false
    @Option(help: "Seed of the draws.") var seed = 0
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard rows > 0, columns > 0 else { throw ValidationError("--rows and --columns must be at least 1") }
        guard temperature >= 0 else { throw ValidationError("--temperature must not be negative, but is \(temperature)") }
    }

    func run() async throws {
        Interruption.listen()
        let context = try store.context()
        var settings = ResampleSettings()
        settings.rows = rows
        settings.columns = columns
        settings.temperature = temperature
        settings.unconditional = unconditional
        let picture = try context.plan(of: context.run(run)).resample(settings, seed: seed, context)
        print("picture: \(picture.path)")
    }
}
