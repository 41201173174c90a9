import Models
import NN
import Settings
import TensorCore
import Testing

/// The first token is predicted from BOS alone, whose one attention weight in each head is 1. Dropout of attention weights makes
/// it 0 or 1/(1 − p); so over any number of masks the prediction has a value for each choice of heads, and no other.
@Suite struct DropoutTests {
    /// Cross-entropies of the first token under 80 masks; all that differ.
    private func predictions(_ precision: Precision, p: Float, attention: Float?) -> Set<Float> {
        let layout = TinyPrior.prologue
        let model = TinyPrior.model(layout, precision: precision)
        let indices = TokenTensor((0..<13).map { Int32($0 % 7) }, shape: [1, 13])
        let input = ARInput(targets: layout.targets(indices), labels: TokenTensor([2], shape: [1]))
        return Set(
            (0..<80).map { seed in
                let stream = RandomStream(seed: seed, "dropout")
                return model.crossEntropy(input, on: nil, dropout: Dropout(p: p, attention: attention, stream: stream)).values[0]
            })
    }

    @Test(arguments: [Precision.float32, .bfloat16])
    func sharesActOnTheirPlaces(_ precision: Precision) {
        // Two layers of two heads.
        let inAttention = predictions(precision, p: 0, attention: 0.4)
        #expect((3...16).contains(inAttention.count), "\(inAttention.count)")
        #expect(predictions(precision, p: 0.3, attention: 0).count > 40, "embeddings and branches are dropped in many ways")
        #expect(predictions(precision, p: 0, attention: 0).count == 1)
        #expect(
            predictions(precision, p: 0.3, attention: nil) == predictions(precision, p: 0.3, attention: 0.3),
            "without a share of its own, attention has that of all")
        #expect(predictions(precision, p: 0.3, attention: nil) != predictions(precision, p: 0.3, attention: 0))
    }
}
