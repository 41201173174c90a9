import Foundation
import Models
import TensorCore
import Testing

/// The choice of one token from logits.
@Suite struct DrawTests {
    private static let logits: [Float] = [0.3, 2.1, -1.4, 1.2, 0.9, -0.2, 1.7, -3]

    struct Settings: Sendable {
        var temperature = 1.0
        var topK = 0
        var topP = 1.0
    }

    private static let settings = [
        Settings(), Settings(temperature: 0.5), Settings(temperature: 3), Settings(topK: 3), Settings(topK: 8),
        Settings(topK: 100), Settings(topP: 0.6), Settings(topP: 0.05), Settings(temperature: 0.7, topK: 5, topP: 0.8),
        Settings(temperature: 2, topK: 2, topP: 0.99),
    ]

    private static func draw(_ logits: [Float], _ settings: Settings, uniform: Double) -> Int {
        TokenDraw(temperature: settings.temperature, topK: settings.topK, topP: settings.topP)(
            Tensor(logits, shape: [1, logits.count]), uniforms: [uniform])[0]
    }

    /// By the definitions: softmax at the temperature; the k largest, renormalised; of these the fewest whose sum
    /// reaches p, renormalised.
    private static func probabilities(_ settings: Settings) -> [Double] {
        var p = logits.map { exp(Double($0) / settings.temperature) }
        func normalize() {
            let sum = p.reduce(0, +)
            p = p.map { $0 / sum }
        }
        normalize()
        let order = p.indices.sorted { p[$0] > p[$1] }
        if settings.topK > 0 {
            for index in order.dropFirst(settings.topK) { p[index] = 0 }
            normalize()
        }
        if settings.topP < 1 {
            var before = 0.0
            for index in order {
                let own = p[index]
                if before >= settings.topP { p[index] = 0 }
                before += own
            }
            normalize()
        }
        return p
    }

    /// Even steps of the uniform number choose each token in exact proportion.
    @Test(arguments: settings) func sharesAreTheProbabilities(settings: Settings) {
        let n = 20_000
        var counts = [Int](repeating: 0, count: Self.logits.count)
        for i in 0..<n {
            counts[Self.draw(Self.logits, settings, uniform: (Double(i) + 0.5) / Double(n))] += 1
        }
        let expected = Self.probabilities(settings)
        for (count, p) in zip(counts, expected) {
            #expect(abs(Double(count) - p * Double(n)) <= 1, "\(counts) for \(expected.map { $0 * Double(n) })")
            if p == 0 { #expect(count == 0) }
        }
    }

    /// With random numbers the counts vary as they should.
    @Test(arguments: settings) func randomDrawsPassAChiSquareTest(settings: Settings) {
        let expected = Self.probabilities(settings)
        let n = 20_000
        var counts = [Int](repeating: 0, count: Self.logits.count)
        var stream = RandomStream(seed: 1, "draws")
        for _ in 0..<n {
            counts[Self.draw(Self.logits, settings, uniform: Double(stream.uniform()))] += 1
        }
        var statistic = 0.0
        for (count, p) in zip(counts, expected) {
            if p == 0 {
                #expect(count == 0)
            } else {
                statistic += (Double(count) - p * Double(n)) * (Double(count) - p * Double(n)) / (p * Double(n))
            }
        }
        // 7 degrees of freedom at most: larger once in 10⁴ seeds.
        #expect(statistic < 29.9)
    }

    @Test func greedyTakesTheFirstOfTheLargest() {
        for (temperature, topK) in [(0.0, 0), (1.0, 1)] {
            for u in [0, 0.5, 0.999_999] {
                #expect(Self.draw([1, 4, 4, 2], Settings(temperature: temperature, topK: topK), uniform: u) == 1)
            }
        }
    }

    @Test func everyUniformNumberChoosesATokenThatIsPossible() {
        let largest = 1 - 0x1p-24
        let extreme: [Float] = [-1e30, 0, -1e30]
        for u in [0, 0.5, largest] {
            #expect(Self.draw(extreme, Settings(), uniform: u) == 1)
            #expect(Self.draw([3], Settings(temperature: 0.1, topK: 5, topP: 0.1), uniform: u) == 0)
        }
        #expect(Self.draw(Self.logits, Settings(), uniform: 0) == 0)
        #expect(Self.draw(Self.logits, Settings(), uniform: largest) == 7)
    }
}
