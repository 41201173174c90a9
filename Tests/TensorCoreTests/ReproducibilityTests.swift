import NN
import TensorCore
import Testing

/// A small transformer and what one training step of it computes.
struct TinyTraining {
    let transformer: Transformer
    let parameters: [Parameter]
    private let table: RotaryTable
    private let x, target: Tensor

    /// Sizes of which every kernel is split: 12·67 rows of 48, causal attention over two blocks of queries if long.
    init(batch: Int = 12, tokens: Int = 67, recomputes: Bool = false) {
        let builder = ParameterBuilder(RandomStream(seed: 1, "tiny"))
        transformer = Transformer(
            "net",
            TransformerShape(
                width: 48, layers: 2, heads: 3, feedForwardRatio: 8.0 / 3, biases: true, causal: true, recomputes: recomputes),
            labels: 3, conditionWidth: 7, outputNorm: true, in: builder)
        parameters = builder.parameters
        // Gates start near 0; values of a trained size let every path matter.
        for parameter in parameters {
            parameter.value.overwrite(with: random(parameter.shape, parameter.name).values.map { 0.2 * $0 })
        }
        table = RotaryTable((0..<tokens).map { .sequence($0) }, axisWidths: [8, 4, 4])
        x = random([batch, tokens, 48], "input")
        target = random([batch, tokens, 48], "target")
    }

    /// Loss and gradients, the input's first.
    func gradients(dropout p: Float = 0.1) -> (loss: Float, tape: Tape, input: Tensor) {
        let tape = Tape(differentiating: parameters)
        let input = tape.variable(x)
        var dropout = Dropout(p: p, stream: RandomStream(seed: 2, "dropout"))
        let loss = meanSquaredDifference(
            transformer(input, table: table, on: tape, dropout: &dropout), target)
        tape.backward(from: loss)
        return (loss.scalar, tape, input)
    }

    /// The same as plain numbers.
    func values() -> [[Float]] {
        let (loss, tape, input) = gradients()
        return [[loss], tape.gradient(of: input)?.values ?? []]
            + parameters.map { tape.gradient(of: $0)?.values ?? [] }
    }
}

/// Each in a process of its own: the number of threads and the memory pool are the process's.
@Suite struct ReproducibilityTests {
    /// What is kept of layers changes no bit of the loss and gradients by rounding only, dropout included, and memory is less.
    @Test func layersMayBeComputedAgain() async {
        await #expect(processExitsWith: .success) {
            Parallel.threads = 2
            func results(_ recomputes: Bool) -> (values: [[Float]], bytes: Int) {
                let training = TinyTraining(recomputes: recomputes)
                BufferPool.shared.resetPeak()
                return (training.values(), BufferPool.shared.use.peak)
            }
            let (kept, again) = (results(false), results(true))
            #expect(kept.values.count > 20 && kept.values.allSatisfy { !$0.isEmpty })
            #expect(again.values[0] == kept.values[0] && again.values.map(\.count) == kept.values.map(\.count))
            for (again, kept) in zip(again.values, kept.values) {
                let largest = kept.map(abs).max() ?? 0
                #expect(zip(again, kept).allSatisfy { abs($0 - $1) <= 1e-5 * largest })
            }
            #expect(again.bytes < kept.bytes)
        }
    }

    @Test func repeatedRunsAreEqualToTheBit() async {
        await #expect(processExitsWith: .success) {
            Parallel.threads = 3
            let training = TinyTraining()
            let first = training.values()
            #expect(first.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isFinite) })
            for _ in 0..<10 {
                let equal = training.values() == first
                #expect(equal)
            }
        }
    }

    /// Values and gradients of every op, to the bit; a matrix product is split by the number of threads, and its
    /// parts round differently where that changes OpenBLAS's blocks, so what it enters agrees to rounding only.
    @Test func resultsDoNotDependOnTheNumberOfThreads() async {
        await #expect(processExitsWith: .success) {
            let products = ["linear", "conv2d", "straightThroughEmbedding"]
            for row in GradientTable.rows {
                for (number, example) in row.cases().enumerated() {
                    Parallel.threads = 1
                    let first = Self.valuesAndGradients(example)
                    for threads in [2, 3, 5] {
                        Parallel.threads = threads
                        let other = Self.valuesAndGradients(example)
                        let equal = products.contains(where: row.op.hasPrefix) ? Self.close(first, other) : first == other
                        #expect(equal, "\(row.op), case \(number), \(threads) threads")
                    }
                }
            }
        }
    }

    static func valuesAndGradients(_ example: GradientCase) -> [[Float]] {
        let tape = Tape()
        let inputs = example.inputs.map { tape.variable($0) }
        let y = example.apply(inputs)
        tape.backward(from: weightedSum(y, weights: random(y.shape, "weights").values))
        return [y.values] + inputs.map { tape.gradient(of: $0)?.values ?? [] }
    }

    static func close(_ a: [[Float]], _ b: [[Float]]) -> Bool {
        zip(a, b).allSatisfy { a, b in
            let size = Float(rootMeanSquare(a))
            return a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 * (size + abs($0)) }
        }
    }

    /// Norm, clipping and update of the optimiser, to the bit; a whole training step, to rounding.
    @Test func trainingDoesNotDependOnTheNumberOfThreads() async {
        await #expect(processExitsWith: .success) {
            var updates: [[[Float]]] = []
            var steps: [[[Float]]] = []
            for threads in [1, 2, 5] {
                Parallel.threads = threads
                let parameter = Parameter(name: "w", value: random([401, 997]))
                let optimizer = AdamW([parameter], .init(beta1: 0.9, beta2: 0.99, weightDecay: 0.1, clip: 0.1))
                for step in 0..<3 {
                    let tape = Tape(differentiating: [parameter])
                    let weights = random(parameter.shape, "gradient \(step)").values
                    tape.backward(from: weightedSum(parameter(on: tape), weights: weights))
                    optimizer.step(tape, rate: 0.01)
                }
                updates.append([parameter.value.values])
                steps.append(TinyTraining().values())
            }
            #expect(updates.allSatisfy { $0 == updates[0] })
            #expect(steps.allSatisfy { Self.close($0, steps[0]) })
        }
    }

    @Test func warmTrainingStepTakesNothingFromTheSystem() async {
        await #expect(processExitsWith: .success) {
            // With one thread the blocks in use at one moment are always the same; with more it depends on timing.
            Parallel.threads = 1
            let training = TinyTraining()
            let optimizer = AdamW(training.parameters, .init(beta1: 0.9, beta2: 0.99, clip: 1), averageHalfLife: 10)
            func step() { optimizer.step(training.gradients().tape, rate: 0.001) }
            let pool = BufferPool.shared
            let before = pool.use
            step()
            step()
            let warm = pool.use
            #expect(warm.systemAllocations > before.systemAllocations)
            #expect(warm.live == before.live)
            pool.resetPeak()
            for _ in 0..<5 { step() }
            let after = pool.use
            #expect(after.systemAllocations == warm.systemAllocations)
            #expect(after.reserved == warm.reserved)
            #expect(after.live == before.live)
            #expect(after.peak > after.live && after.peak <= after.reserved)
            pool.trim()
            #expect(pool.use.reserved == pool.use.live)
        }
    }

    /// On several threads the number of scratch blocks in use at once varies, but is bounded by the threads.
    @Test func memoryStaysBoundedOnSeveralThreads() async {
        await #expect(processExitsWith: .success) {
            Parallel.threads = 4
            let training = TinyTraining()
            for _ in 0..<30 { _ = training.gradients() }
            let warm = BufferPool.shared.use
            for _ in 0..<30 { _ = training.gradients() }
            let after = BufferPool.shared.use
            #expect(after.live == warm.live)
            #expect(Double(after.reserved) <= 1.1 * Double(warm.reserved))
        }
    }
}
