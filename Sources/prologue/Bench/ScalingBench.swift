import Files
import Foundation
import Models
import NN
import Report
import Settings
import TensorCore

/// How the time of an AR training step grows with each of its sizes, beside its count of operations.
struct ScalingBench {
    let precision: Precision
    let repetitions: Int

    private struct Sizes {
        var tokens = 80
        var width = 256
        var batch = 16
        var codes = 1024
    }

    private struct Measured {
        let axis: String
        let size: Int
        let operations, seconds: Double
    }

    /// A table of all steps, and the plot of their time against their operations.
    func run() -> (table: Table, plot: LinePlot) {
        let steps =
            [20, 40, 80, 160, 320].map { step("tokens", $0) { $0.tokens = $1 } }
            + [64, 128, 256, 512].map { step("width", $0) { $0.width = $1 } }
            + [4, 8, 16, 32, 64].map { step("batch", $0) { $0.batch = $1 } }
            + [256, 1024, 4096, 16384].map { step("codebook", $0) { $0.codes = $1 } }
        var table = Table(columns: [
            .text("axis"), .number("size", decimals: 0), .number("GFLOP", decimals: 1),
            .number("median", key: "seconds", unit: "s", decimals: 4), .number("GFLOP/s", decimals: 0),
        ])
        for step in steps {
            table.add([
                .text(step.axis), .number(Double(step.size)), .number(step.operations / 1e9), .number(step.seconds),
                .number(step.operations / step.seconds / 1e9),
            ])
        }
        table.add(
            footnote:
                "\(precision.rawValue), \(Parallel.threads) threads; 6 layers, 80 tokens, width 256, batch 16, 1024 codes unless given")
        let axes = ["tokens", "width", "batch", "codebook"]
        var plot = LinePlot(
            title: "Time of an AR training step, \(precision.rawValue)", xLabel: "operations of matrix products, GFLOP",
            yLabel: "seconds",
            series: axes.map { axis in
                LinePlot.Series(
                    axis, points: steps.filter { $0.axis == axis }.map { .init(x: $0.operations / 1e9, y: $0.seconds) })
            })
        (plot.xScale, plot.yScale) = (.logarithmic, .logarithmic)
        return (table, plot)
    }

    private func step(_ axis: String, _ size: Int, _ set: (inout Sizes, Int) -> Void) -> Measured {
        var sizes = Sizes()
        set(&sizes, size)
        let layout = SequenceLayout(prologueTokens: 0, visualTokens: sizes.tokens, visualCodes: sizes.codes, prologueCodes: 0)
        var config = ARConfig(
            layout: layout, network: .init(width: sizes.width, layers: 6, heads: sizes.width / 32, axes: [12, 12, 8]),
            labels: 11)
        config.precision = precision
        let model = ARModel(config, stream: RandomStream(seed: 0, "scaling"))
        let optimizer = AdamW(model.parameters, .init(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 1), averageHalfLife: 2500)
        let ids = (0..<sizes.batch * sizes.tokens).map { Int32($0 % 251) }
        let input = ARInput(
            targets: TokenTensor(ids, shape: [sizes.batch, sizes.tokens]),
            labels: TokenTensor(repeating: 0, shape: [sizes.batch]))
        func once() -> Double {
            let start = ContinuousClock.now
            let tape = Tape(differentiating: model.parameters)
            tape.backward(from: model.meanCrossEntropy(input, on: tape))
            optimizer.step(tape, rate: 1e-4)
            return (ContinuousClock.now - start) / .seconds(1)
        }
        for _ in 0..<2 { _ = once() }
        let seconds = (0..<repetitions).map { _ in once() }.sorted()[repetitions / 2]
        return Measured(
            axis: axis, size: size, operations: Double(sizes.batch) * config.trainingCost.flops, seconds: seconds)
    }
}
