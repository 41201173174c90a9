import NN
import Settings
import TensorCore

/// Drawing sequences as a program: loops over positions, caches updated in place, both guidance branches in one batch. A
/// sequence draws from the stream of its own number, so it is the same in any batch. The positions are cut into stretches, each a loop
/// of its own that reads of the caches what there is at its end.
///
/// Inputs: `labels` [count], `sampler/key`, `sampler/steps`, `scales` and `temperatures` [T], `given` [count, T] where tokens are
/// given, parameters `prior/value/…`. Output: `ids` [count, T]. In bfloat16 weights are rounded before the loop, and keys and values kept
/// rounded.
public struct SamplingProgram {
    public let traced: TracedProgram
    private let config: ARConfig
    private let settings: SamplerSettings
    public let count: Int
    public let takesGiven: Bool

    /// - Parameter stretch: positions of a loop. Shorter ones read less of what is not there yet, and make a longer program.
    public init(_ config: ARConfig, _ settings: SamplerSettings, count: Int, given takesGiven: Bool = false, stretch: Int = 64) {
        (self.config, self.settings, self.count, self.takesGiven) = (config, settings, count, takesGiven)
        let program = Program("sampling")
        let model = ARModel(config, parameters: .program(program, prefix: "prior/value/"))
        let (layout, shape) = (config.layout, model.transformer.shape)
        let isGuided = Guidance(settings) != .off
        let rows = isGuided ? 2 * count : count
        let vocabulary = 0..<layout.vocabulary
        let (head, rounds) = ((model.head?.weight ?? model.table).value, settings.precision == .bfloat16)
        let decoder =
            rounds
            ? TransformerDecoder(model.transformer, table: model.positions, head: head, roundingIn: program)
            : TransformerDecoder(model.transformer, table: model.positions, head: head, segments: [])
        let roundedHead = rounds ? program.rounded(head) : nil
        let streams = settings.topK == 1 ? nil : program.samplingStreams("sampler", rows: count)
        let (scales, temperatures) = (
            isGuided ? program.input("scales", [layout.length]) : nil,
            settings.topK == 1 ? nil : program.input("temperatures", [layout.length])
        )
        let labels = program.tokens("labels", [count])
        let given = takesGiven ? program.tokens("given", [count, layout.length]) : nil

        // Of each position: the ids it may have, and how many numbers were drawn before it.
        let segments = (0..<layout.length).map(layout.segment)
        func list(_ numbers: [Int]) -> TokenTensor { TokenTensor(numbers.map(Int32.init), shape: [numbers.count]) }
        let (lower, upper) = (list(segments.map(\.lowerBound)), list(segments.map(\.upperBound)))
        let draws = list(segments.indices.map { place in segments[..<place].count { $0.count > 1 } })

        let start = embedding(labels.reshaped([count, 1]), table: model.bos.value)
        let unconditional = embedding(TokenTensor(repeating: model.unconditionalLabel, shape: [count, 1]), table: model.bos.value)
        let first = isGuided ? concatTokens([start, unconditional].map { $0.reshaped([1, count, shape.width]) }) : start
        let caches = TracedCache.empty(
            layers: shape.layers, rows: rows, capacity: layout.length, width: shape.width, rounds: rounds, in: program)
        func next(
            _ place: TokenTensor, _ tensors: [Tensor], _ tokens: [TokenTensor], seen: Int
        ) -> (tensors: [Tensor], tokens: [TokenTensor]) {
            let cache = TracedCache(program, carried: Array(tensors.dropFirst()), heads: shape.heads, index: place, seen: seen)
            let hidden = decoder.step(tensors[0], cache: cache)
            let mixed = scales.map { program.mixedBranches(hidden, scale: program.entry(place, of: $0)) } ?? hidden
            let logits =
                (roundedHead.map { program.product(mixed, $0, bias: nil, rounds: false) } ?? linear(mixed, weight: head))
                .reshaped([count, vocabulary.count])
            let range = Program.DrawRange(
                lower: program.entry(place, of: lower), upper: program.entry(place, of: upper),
                temperature: temperatures.map { program.entry(place, of: $0) } ?? .zeros([1]))
            var ids = program.drawn(
                TokenDraw(topK: settings.topK, topP: settings.topP), logits, range,
                uniforms: streams.map { program.uniforms(program.entry(place, of: draws), key: $0) })
            if let given { ids = program.chosen(ids, given: program.column(place, of: given)) }
            let x = embedding(ids.reshaped([count, 1]), table: model.table.value)
            return (
                [isGuided ? repeatedForBothBranches(x) : x] + cache.tensors, [program.replaced(tokens[0], column: place, by: ids)]
            )
        }
        var state = (
            tensors: [first.reshaped([rows, 1, shape.width])] + caches,
            tokens: [TokenTensor(repeating: 0, shape: [count, layout.length])]
        )
        for start in stride(from: 0, to: layout.length, by: stretch) {
            let end = min(start + stretch, layout.length)
            state = program.loop(end, from: start, state.tensors, state.tokens) { next($0, $1, $2, seen: end) }
        }
        program.output("ids", state.tokens[0])
        traced = program.traced()
    }

    /// What the inputs `scales` and `temperatures` are given.
    public var scales: Tensor {
        let guidance = Guidance(settings)
        return list { Float(guidance.scale(at: $0, layout: config.layout) ?? 1) }
    }

    public var temperatures: Tensor {
        list {
            Float($0 < config.layout.prologueTokens ? settings.prologueTemperature ?? settings.temperature : settings.temperature)
        }
    }

    /// What the inputs `sampler/key` and `sampler/steps` are given, for sequences from number `first` on.
    public func streams(seed: Int, first: Int) -> (key: [UInt32], steps: [UInt32]) {
        SamplingStreams.words(seed: seed, "sampler", first: first, rows: count)
    }

    private func list(_ number: (Int) -> Float) -> Tensor {
        Tensor((0..<config.layout.length).map(number), shape: [config.layout.length])
    }
}
