import ArgumentParser
import Files
import Foundation

@main
struct Prologue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train, sample, score and compare autoregressive image generators.",
        discussion: """
            A sweep file goes in; tokenizers and AR models are trained, measured and compared.

              prologue sweep run Experiments/01-quickstart/sweep.yaml
              prologue compare Experiments/01-quickstart/sweep.yaml
              prologue verify reference/prologue.safetensors
            """,
        subcommands: [
            SweepCommand.self, CompareCommand.self, SampleCommand.self, ResampleCommand.self, ProbeCommand.self,
            VerifyCommand.self, BenchCommand.self,
        ])
}
