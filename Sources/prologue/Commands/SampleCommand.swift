import ArgumentParser
import Experiment
import Files
import Foundation
import Settings

struct SampleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample", abstract: "Draw images from a finished run.",
        discussion: """
            Writes a picture (classes as rows) and an HDF5 file with tokens, images and labels, and prints where they are.

              prologue sample quickstart-prologue-s0 --count 80 --temperature 0.9
              prologue sample quickstart-prologue-s0 --guidance 1.5 --schedule cosine
            """)

    @Argument(help: "Run id, or the beginning of one.", completion: .runs) var run: String
    @Option(help: "Images to draw, classes in turn.") var count = 80
    @Option(help: "Temperature.") var temperature = 1.0
    @Option(help: "Temperature of prologue tokens (default: the same).") var prologueTemperature: Double?
    @Option(help: "Keep the k most likely tokens (0: all).") var topK = 0
    @Option(help: "Keep tokens up to this probability (1: all).") var topP = 1.0
    @Option(help: "Guidance scale (0: off).") var guidance = 0.0
    @Option(help: "Guidance schedule: constant, linear or cosine.") var schedule = "constant"
    @Option(help: "Power of the cosine schedule.") var power = 1.0
    @Flag(help: "Without a class.") var unconditional = false
    @Option(help: "Seed of the draws.") var seed = 0
    @OptionGroup var device: DeviceOptions
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard (1...Self.most).contains(count) else { throw ValidationError("--count must be 1 … \(Self.most), not \(count)") }
        var sampler = sampler
        // Here 0 is the likeliest token, as top_k 1 is in a sweep.
        if sampler.temperature == 0 { sampler.temperature = 1 }
        if sampler.prologueTemperature == 0 { sampler.prologueTemperature = 1 }
        do { try sampler.requireAllowed() } catch let error as InputError { throw ValidationError(error.message) }
        guard GuidanceSchedule(rawValue: schedule) != nil else {
            throw ValidationError("--schedule must be constant, linear or cosine, not '\(schedule)'")
        }
    }

    /// Images that are drawn at once, all of which are held in memory.
    private static let most = 1_000_000

    private var sampler: SamplerSettings {
        var sampler = SamplerSettings()
        sampler.temperature = temperature
        sampler.prologueTemperature = prologueTemperature
        sampler.topK = topK
        sampler.topP = topP
        sampler.unconditional = unconditional
        sampler.guidance.scale = guidance
        sampler.guidance.schedule = GuidanceSchedule(rawValue: schedule) ?? .constant
        sampler.guidance.power = power
        return sampler
    }

    func run() async throws {
        Interruption.listen()
        let context = try store.context(device: device.choice)
        let files = try context.plan(of: context.run(run)).sample(sampler, count: count, seed: seed, context)
        print("picture: \(files.picture.path)")
        print("samples: \(files.samples.path)")
    }
}
