import ArgumentParser
import Experiment
import Files
import Foundation

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write results in forms that other programs read.",
        discussion: """
              prologue export samples quickstart-prologue-s0 --sampler nocfg --out s.npz
              prologue export checkpoint quickstart-prologue-s0 released
            """,
        subcommands: [Samples.self, Checkpoint.self])

    struct Samples: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "samples", abstract: "Write a run's samples as .npz, for the evaluators of other projects.",
            discussion: """
                'arr_0' holds the images, uint8 [images, height, width, channels], 'arr_1' their classes, 'order' the \
                numbers of the run's samples. They are sorted by class; with --shuffle, in an order drawn from the seed, \
                which is then kept as 'shuffle_seed'.

                  prologue export samples quickstart-prologue-s0 --sampler nocfg --out s.npz
                  prologue export samples quickstart-prologue-s0 --sampler cfg --shuffle 0 \\
                    --out shuffled.npz
                """)

        @Argument(help: ArgumentHelp("Run id, or the beginning of one.", valueName: "run"), completion: .runs) var name: String
        @Option(help: "Name of the sampler setting.") var sampler: String
        @Option(help: "File to write; its name ends in .npz.") var out: String
        @Option(help: ArgumentHelp("Shuffle by this seed.", valueName: "seed")) var shuffle: Int?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard out.lowercased().hasSuffix(".npz") else {
                throw ValidationError("--out must end in .npz, not be '\(out)'")
            }
        }

        func run() throws {
            _ = try store.existing()
            let context = try store.context()
            let url = URL(fileURLWithPath: out)
            let plan = try context.plan(of: context.run(name))
            let count = try plan.exportSamples(sampler, to: url, shuffledBy: shuffle, context)
            print("\(count) images: \(url.path)")
        }
    }

    struct Checkpoint: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "checkpoint", abstract: "Write a run's networks as safetensors, laid out as released checkpoints.",
            discussion: """
                The folder gets 'tokenizer' (model: encoder, model_1: decoder, model_2 and model_3: their averages, model_5 \
                and model_6: joint AR model and its average) and 'prior' (model and model_1: AR model and its average).

                  prologue export checkpoint quickstart-prologue-s0 released
                """)

        @Argument(help: ArgumentHelp("Run id, or the beginning of one.", valueName: "run"), completion: .runs) var name: String
        @Argument(help: "Folder to write; files of the same names in it are replaced.") var folder: String
        @OptionGroup var store: StoreOptions

        func run() throws {
            _ = try store.existing()
            let context = try store.context()
            let url = URL(fileURLWithPath: folder, isDirectory: true)
            try context.plan(of: context.run(name)).exportCheckpoint(to: url, context)
            print("tokenizer: \(url.appendingPathComponent("tokenizer").path)")
            print("prior: \(url.appendingPathComponent("prior").path)")
        }
    }
}
