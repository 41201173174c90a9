import TensorCore
import Testing

/// A wrong shape stops the program with a message that shows both shapes, in release builds too.
@Suite struct ShapeErrorTests {
    private func show(_ result: ExitTest.Result?, _ parts: String...) {
        let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        for part in parts { #expect(message.contains(part), "“\(part)” is not in: \(message)") }
    }

    @Test func linearShowsBothShapes() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = linear(.zeros([2, 3]), weight: .zeros([4, 5]))
        }
        show(result, "linear", "[2, 3]", "[4, 5]")
        let bias = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = linear(.zeros([2, 5]), weight: .zeros([4, 5]), bias: .zeros([3]))
        }
        show(bias, "linear", "[3]", "[4, 5]")
    }

    @Test func elementwiseShowsBothShapes() async {
        let sum = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]) + Tensor.zeros([3, 2])
        }
        show(sum, "+", "[2, 3]", "[3, 2]")
        let loss = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = meanSquaredDifference(.zeros([7]), .zeros([6]))
        }
        show(loss, "meanSquaredDifference", "[7]", "[6]")
    }

    @Test func normShowsBothShapes() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = rmsNorm(.zeros([2, 3, 8]), weight: .zeros([3, 8]))
        }
        show(result, "rmsNorm", "[2, 3, 8]", "[3, 8]")
    }

    @Test func attentionShowsAllShapes() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = attention(
                q: .zeros([1, 4, 6]), k: .zeros([1, 5, 6]), values: .zeros([1, 5, 6]), heads: 2, causal: true)
        }
        show(result, "attention", "[1, 4, 6]", "[1, 5, 6]")
    }

    @Test func tokensShowWhatDoesNotFit() async {
        let id = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = embedding(TokenTensor([0, 7], shape: [2]), table: .zeros([7, 3]))
        }
        show(id, "embedding", "id 7", "0..<7")
        let concatenation = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = concatTokens([.zeros([2, 1, 3]), .zeros([2, 1, 4])])
        }
        show(concatenation, "concatTokens", "[2, 1, 3]", "[2, 1, 4]")
        let slice = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = sliceTokens(.zeros([2, 4, 3]), 2..<5)
        }
        show(slice, "sliceTokens", "2..<5", "[2, 4, 3]")
        let targets = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = crossEntropy(.zeros([2, 4]), targets: TokenTensor([0, 1, 2], shape: [3]))
        }
        show(targets, "crossEntropy", "[2, 4]", "[3]")
    }

    @Test func reshapeAndTapeShowWhatDoesNotFit() async {
        let reshape = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).reshaped([4])
        }
        show(reshape, "[2, 3]", "[4]")
        let loss = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let tape = Tape()
            tape.backward(from: tape.variable(.zeros([2, 3])))
        }
        show(loss, "scalar", "[2, 3]")
        let tapes = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tape().variable(.zeros([2])) + Tape().variable(.zeros([2]))
        }
        show(tapes, "different tapes")
    }
}
