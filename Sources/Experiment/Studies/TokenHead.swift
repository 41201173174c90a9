import Evaluation
import Models
import NN
import Settings
import TensorCore

/// A small classifier of sets of tokens that is no linear one: of their embeddings, all beside each other through a hidden
/// layer (`mlp`), or as much of each as one learned query attends to (`attentive`).
struct TokenHead {
    enum Kind: String, CaseIterable { case mlp, attentive }

    private static let width = 64, hidden = 128, steps = 400, batch = 256
    private static let rate = 3e-3

    private let kind: Kind
    private let tokens: Int
    private let seed: Int
    private let parameters: [Parameter]
    private let table, query: Parameter
    private let keys, inner, output: Linear

    /// - Parameters:
    ///   - tokens: of a set.
    ///   - codes: of all its positions together.
    init(_ kind: Kind, tokens: Int, codes: Int, classes: Int, seed: Int) {
        (self.kind, self.tokens, self.seed) = (kind, tokens, seed)
        let builder = ParameterBuilder(.random(RandomStream(seed: seed, "rates/\(kind.rawValue)/initial")))
        table = builder.normal("table", [codes, Self.width])
        query = builder.normal("query", [1, Self.width])
        keys = Linear("keys", from: Self.width, to: Self.width, in: builder)
        inner = Linear("inner", from: kind == .mlp ? tokens * Self.width : Self.width, to: Self.hidden, in: builder)
        output = Linear("output", from: Self.hidden, to: classes, in: builder)
        parameters = builder.parameters
    }

    private func logits(_ places: [Int32], on tape: Tape?) -> Tensor {
        let rows = places.count / tokens
        let x = embedding(TokenTensor(places, shape: [rows, tokens]), table: table(on: tape))
        let read: Tensor
        switch kind {
        case .mlp: read = x.reshaped([rows, tokens * Self.width])
        case .attentive:
            let q = embedding(TokenTensor(repeating: 0, shape: [rows, 1]), table: query(on: tape))
            read = attention(q: q, k: keys(x, on: tape), values: x, heads: 1, causal: false).reshaped([rows, Self.width])
        }
        return output(gelu(inner(read, on: tape)), on: tape)
    }

    /// AdamW for a fixed number of steps with a rate that falls in a line; the last step counts.
    ///
    /// - Parameter places: of a row's tokens, [rows, tokens].
    func fit(_ places: [Int32], _ labels: [Int]) throws {
        var training = OptimizerSettings(beta2: 0.99, weightDecay: 0.05, clip: 1)
        (training.lr, training.endLr, training.warmup) = (Self.rate, Self.rate / 100, 20)
        let optimizer = AdamW(parameters, training)
        let schedule = LearningRateSchedule(training, steps: Self.steps)
        let batch = min(Self.batch, labels.count)
        for step in 1...Self.steps {
            var stream = RandomStream(seed: seed, "rates/\(kind.rawValue)/batch", step: step)
            let rows = (0..<batch).map { _ in Int(stream.nextKey() % UInt64(labels.count)) }
            let chosen = rows.flatMap { places[$0 * tokens..<($0 + 1) * tokens] }
            let tape = Tape(differentiating: parameters)
            let loss = mean(crossEntropy(logits(chosen, on: tape), targets: TokenTensor(rows.map { Int32(labels[$0]) }, shape: [batch])))
            tape.backward(from: loss)
            optimizer.step(tape, rate: schedule.rate(at: step))
            if step % 50 == 0 { try Interruption.check() }
        }
    }

    /// [rows, classes]
    func scores(_ places: [Int32]) -> FeatureMatrix {
        let rows = places.count / tokens
        var values: [Float] = []
        for lower in stride(from: 0, to: rows, by: 1024) {
            values += logits(Array(places[lower * tokens..<min(rows, lower + 1024) * tokens]), on: nil).values
        }
        return FeatureMatrix(rows: rows, columns: values.count / max(1, rows), values: values)
    }
}
