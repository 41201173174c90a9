import Foundation
import Models
import Testing

/// The scale over the steps t, from the formulas of method §5.1 and §5.2 with T tokens, K of them prologue.
@Suite struct GuidanceTests {
    /// K = 4, T = 14.
    private let layout = TinyPrior.prologue

    private func scales(_ guidance: Guidance) -> [Double] {
        (0..<layout.length).map { guidance.scale(at: $0, layout: layout) ?? .nan }
    }

    private func expect(_ guidance: Guidance, _ formula: (Double) -> Double) {
        for (t, s) in scales(guidance).enumerated() {
            #expect(abs(s - formula(Double(t))) < 1e-12, "step \(t): \(s), not \(formula(Double(t)))")
        }
    }

    @Test func offLeavesTheConditionalLogits() {
        #expect((0..<14).allSatisfy { Guidance.off.scale(at: $0, layout: layout) == nil })
    }

    @Test func overallCurvesRunOverTheWholeSequence() {
        let T = 14.0
        expect(.overall(scale: 3, schedule: .constant, power: 2)) { _ in 3 }
        expect(.overall(scale: 3, schedule: .linear, power: 1)) { t in (1 - t / T) + 3 * t / T }
        // The power is the cosine's alone.
        expect(.overall(scale: 3, schedule: .linear, power: 2)) { t in (1 - t / T) + 3 * t / T }
        for power in [1, 1.75, 0.2] {
            expect(.overall(scale: 19, schedule: .cosine, power: power)) { t in
                1 + (19 - 1) * 0.5 * (1 - cos(.pi * pow(t / T, power)))
            }
        }
        // Of baselines, T is the number of visual tokens.
        let s = Guidance.overall(scale: 10, schedule: .linear, power: 1).scale(at: 3, layout: TinyPrior.image) ?? 0
        #expect(abs(s - (1 + 9 * 3 / 9.0)) < 1e-12)
    }

    @Test func splitCurvesRunOverTheirSegments() {
        let (K, T) = (4.0, 14.0)
        expect(
            .split(
                prologue: .init(schedule: .constant, scale: 0.7, start: 0),
                visual: .init(schedule: .cosine, scale: 3.75, power: 0.2, start: 1))
        ) { t in
            t < K ? 0.7 : 1 + 2.75 * 0.5 * (1 - cos(.pi * pow((t - K) / (T - K), 0.2)))
        }
        expect(
            .split(
                prologue: .init(schedule: .linear, scale: 2, power: 3, start: 0),
                visual: .init(schedule: .linear, scale: 5, start: 1))
        ) { t in t < K ? 2 * t / K : 1 + 4 * (t - K) / (T - K) }
        expect(
            .split(
                prologue: .init(schedule: .cosine, scale: 2, power: 1.5, start: 0.25),
                visual: .init(schedule: .constant, scale: 5, start: 1))
        ) { t in t < K ? 0.25 + 1.75 * 0.5 * (1 - cos(.pi * pow(t / K, 1.5))) : 5 }
    }

    @Test func curvesStartAtTheirStart() {
        #expect(scales(.overall(scale: 9, schedule: .cosine, power: 0.5))[0] == 1)
        let split = scales(
            .split(
                prologue: .init(schedule: .cosine, scale: 2, start: 0), visual: .init(schedule: .linear, scale: 2, start: 1)))
        #expect(split[0] == 0)
        #expect(split[layout.prologueTokens] == 1)
    }
}
