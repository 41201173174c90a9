import ArgumentParser
import Experiment
import Files
import Foundation
import Report
import Settings

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take released checkpoints into the store, as stages that runs and sweeps accept.",
        discussion: """
            PATH is a tokenizer folder (model, model_1: encoder, decoder; model_2, model_3: their averages; model_5, model_6: \
            joint AR model and average), an AR folder (model, model_1), a folder with both as 'tokenizer' and 'prior', or one \
            file with names under 'encoder.', 'decoder.', 'ar.'. Sizes are read off the tensors; every tensor must fit. \
            BF16 and F16 become F32.

            What tensors do not tell comes from what 'prologue export' noted, from the options below, or from defaults: \
            images of 16×16 patches; rope axes of 1/4, 3/8, 3/8 of a head (AR model: 3/8, 3/8, 1/4); a prologue temperature of \
            0.1; variant 'prologue' where it might be 'prologue-onestage'.

              prologue import released
              prologue import released/tokenizer --weights raw
              prologue import ar-xl --tokenizer tokenizer-0123456789ab --name prologue-xl

            With tokenizer and AR model there is a run to sample from. Sweeps name the stages: 'tokenizer.from', 'prior.from'.
            """)

    @Argument(help: "Folder or file.") var path: String
    @Option(help: "For an AR folder: stage or folder of the tokenizer whose tokens it makes.") var tokenizer: String?
    @Option(help: "Name of the run (default: the folder's).") var name: String?
    @Option(help: "Weights to use: ema or raw.") var weights = "ema"
    @Option(help: "Variant of the tokenizer.") var variant: String?
    @Option(help: ArgumentHelp("Side of the images in pixels.", valueName: "pixels")) var imageSize: Int?
    @Option(help: ArgumentHelp("Position axes of encoder and decoder heads, such as 16,24,24.", valueName: "a,b,c"))
    var ropeAxes: String?
    @Option(help: ArgumentHelp("Position axes of AR heads, such as 24,24,16.", valueName: "a,b,c")) var arRopeAxes: String?
    @Option(help: ArgumentHelp("Temperature of the prologue quantizer.", valueName: "τ")) var prologueTemperature: Double?
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: TableOptions

    func validate() throws {
        guard ["ema", "raw"].contains(weights) else { throw ValidationError("--weights must be ema or raw, not '\(weights)'") }
        let variants = TokenizerSettings.Variant.allCases.map(\.rawValue)
        if let variant, !variants.contains(variant) {
            let hint = nearest(to: variant, among: variants).map { "; did you mean '\($0)'?" } ?? ""
            throw ValidationError("--variant must be one of \(variants.joined(separator: ", ")), not '\(variant)'\(hint)")
        }
        do { try hints().requireAllowed() } catch let error as InputError { throw ValidationError(error.message) }
    }

    private func hints() throws -> ImportHints {
        var hints = ImportHints()
        hints.variant = variant.flatMap { TokenizerSettings.Variant(rawValue: $0) }
        (hints.imageSize, hints.prologueTemperature) = (imageSize, prologueTemperature)
        (hints.ropeAxes, hints.arRopeAxes) = (try Self.axes("--rope-axes", ropeAxes), try Self.axes("--ar-rope-axes", arRopeAxes))
        return hints
    }

    func run() throws {
        let imported = try store.context().importCheckpoint(
            URL(fileURLWithPath: path), name: name, raw: weights == "raw", hints: hints(), tokenizer: tokenizer)
        var table = Table(columns: [
            .text("role"), .text("id"), .number("parameters", decimals: 0), .text("what"),
        ])
        for stage in imported.stages {
            table.add([.text(stage.role), .text(stage.id), .number(stage.parameters), .text(stage.description)])
        }
        if let run = imported.run { table.add([.text("run"), .text(run), .missing, .text("'prologue sample' draws from it")]) }
        for note in imported.notes { table.add(footnote: note) }
        output.show(table)
    }

    private static func axes(_ option: String, _ text: String?) throws -> [Int]? {
        guard let text else { return nil }
        let axes = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        guard axes.count == 3, axes.allSatisfy({ $0 >= 0 }) else {
            throw ValidationError("\(option) must be three numbers such as 16,24,24, not '\(text)'")
        }
        return axes
    }
}
