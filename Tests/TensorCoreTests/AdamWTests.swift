import Foundation
import NN
import Settings
import TensorCore
import TestSupport
import Testing

/// A few steps of AdamW on four parameters, of which the decay's rules exempt three.
private struct Problem {
    static let settings = OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.3, clip: 1.5)
    static let averageHalfLife = 20.0
    static let shapes: [(name: String, shape: Shape)] = [
        ("layers.0.attn1.to_q.weight", [8, 6]), ("layers.0.adaln_1.affine.weight", [6, 4]),
        ("layers.0.ffn.fc1.bias", [1, 8]), ("enc.scale", [5]), ("large.weight", [301, 131]),
    ]
    static let decays = [true, false, false, false, true]
    static let rates = [0, 0.01, 0.02, 0.02, 0, 0.015, 0.005]

    let parameters: [Parameter]

    /// The first `count` of the parameters.
    init(_ count: Int = shapes.count) {
        parameters = Self.shapes.prefix(count).map { Parameter(name: $0.name, value: random($0.shape, $0.name)) }
    }

    /// Gradients of a step: some steps long enough to be clipped, one with entries that are not finite.
    static func gradients(_ step: Int, _ count: Int = shapes.count) -> [[Float]] {
        shapes.prefix(count).map { name, shape in
            var values = random(shape, "\(name) \(step)").values.map { $0 * (step % 2 == 0 ? 0.001 : 1) }
            if step == 3 && values.count > 40 {
                values[0] = .nan
                values[7] = .infinity
                values[40] = -.infinity
            }
            return values
        }
    }

    /// A tape on which the parameters have these gradients.
    func tape(_ gradients: [[Float]]) -> Tape {
        let tape = Tape(differentiating: parameters)
        let parts = zip(parameters, gradients).map { weightedSum($0(on: tape), weights: $1) }
        tape.backward(from: parts.dropFirst().reduce(parts[0]) { $0 + $1 })
        return tape
    }

    var values: [[Float]] { parameters.map { $0.value.values } }
}

/// The update in double precision (method §4.5), with the gradient's replacement, clipping and moving average.
private struct Reference {
    var values, averages: [[Double]]
    private var m, v: [[Double]]
    private var steps = 0

    init(_ problem: Problem) {
        values = problem.values.map { $0.map(Double.init) }
        averages = values
        m = values.map { $0.map { _ in 0 } }
        v = m
    }

    /// Norm of the gradients before clipping, and entries replaced.
    mutating func step(_ gradients: [[Float]], rate: Double) -> (norm: Double, replaced: Int) {
        let s = Problem.settings
        let finite = gradients.map { $0.map { g in g.isNaN ? 0 : g.isInfinite ? (g < 0 ? -1e5 : 1e5) : Double(g) } }
        let replaced = gradients.reduce(0) { $0 + $1.count { !$0.isFinite } }
        let norm = finite.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
        if rate == 0 { return (norm, replaced) }
        steps += 1
        let clip = min(1, (s.clip ?? .infinity) / (norm + 1e-6))
        let t = Double(steps)
        let kept = min(pow(2, -1 / Problem.averageHalfLife), (1 + t) / (10 + t))
        for i in values.indices {
            for j in values[i].indices {
                let g = finite[i][j] * clip
                m[i][j] = s.beta1 * m[i][j] + (1 - s.beta1) * g
                v[i][j] = s.beta2 * v[i][j] + (1 - s.beta2) * g * g
                if Problem.decays[i] { values[i][j] *= 1 - rate * s.weightDecay }
                let (mean, square) = (m[i][j] / (1 - pow(s.beta1, t)), v[i][j] / (1 - pow(s.beta2, t)))
                values[i][j] -= rate * mean / (square.squareRoot() + s.epsilon)
                averages[i][j] = kept * averages[i][j] + (1 - kept) * values[i][j]
            }
        }
        return (norm, replaced)
    }
}

@Suite struct AdamWTests {
    @Test func followsTheFormulaInDoublePrecision() {
        let problem = Problem()
        let optimizer = AdamW(problem.parameters, Problem.settings, averageHalfLife: Problem.averageHalfLife)
        var reference = Reference(problem)
        for (step, rate) in Problem.rates.enumerated() {
            let gradients = Problem.gradients(step)
            let report = optimizer.step(problem.tape(gradients), rate: rate)
            let expected = reference.step(gradients, rate: rate)
            #expect(abs(report.gradientNorm / expected.norm - 1) < 1e-6)
            #expect(report.replacedEntries == expected.replaced)
            #expect(difference(problem.values, reference.values) < 3e-6, "values after step \(step)")
        }
        #expect(optimizer.steps == Problem.rates.count { $0 > 0 })
        let trained = problem.values
        optimizer.withAverages { #expect(difference(problem.values, reference.averages) < 3e-6) }
        #expect(problem.values == trained)
        #expect(difference(trained, reference.averages) > 1e-3)
    }

    /// β₁ = 0, no clipping, no decay: the tokenizer's settings.
    @Test func firstStepMovesByTheRate() {
        let parameter = Parameter(name: "w", value: random([33]))
        let before = parameter.value.values
        let optimizer = AdamW([parameter], .init(beta1: 0, beta2: 0.99))
        let tape = Tape(differentiating: [parameter])
        let weights = random([33], "gradient", atLeast: 0.1).values
        tape.backward(from: weightedSum(parameter(on: tape), weights: weights))
        optimizer.step(tape, rate: 0.125)
        for i in 0..<33 {
            #expect(abs(parameter.value.values[i] - (before[i] - (weights[i] < 0 ? -0.125 : 0.125))) < 1e-5)
        }
        #expect(optimizer.withAverages { parameter.value.values } == parameter.value.values)
    }

    @Test func rateZeroChangesNothing() {
        let problem = Problem()
        let optimizer = AdamW(problem.parameters, Problem.settings, averageHalfLife: Problem.averageHalfLife)
        optimizer.step(problem.tape(Problem.gradients(1)), rate: 0.01)
        let before = optimizer.state.map { $0.tensor.values }
        let report = optimizer.step(problem.tape(Problem.gradients(2)), rate: 0)
        #expect(optimizer.state.map { $0.tensor.values } == before)
        #expect(optimizer.steps == 1)
        #expect(report.gradientNorm > 0)
    }

    /// A parameter that no gradient reached decays and its moments shrink, as with a gradient of 0.
    @Test func missingGradientCountsAsZero() {
        let (missing, zero) = (Problem(), Problem())
        let optimizers = [missing, zero].map { AdamW($0.parameters, Problem.settings, averageHalfLife: Problem.averageHalfLife) }
        for (problem, optimizer) in zip([missing, zero], optimizers) {
            optimizer.step(problem.tape(Problem.gradients(1)), rate: 0.01)
        }
        let zeros = Problem.shapes.map { [Float](repeating: 0, count: $0.shape.elementCount) }
        optimizers[0].step(Tape(differentiating: missing.parameters), rate: 0.01)
        optimizers[1].step(zero.tape(zeros), rate: 0.01)
        #expect(missing.values == zero.values)
    }

    /// Restored state goes on to the same bits.
    @Test func restoredStateContinuesExactly() {
        let (whole, resumed) = (Problem(), Problem())
        let optimizer = AdamW(whole.parameters, Problem.settings, averageHalfLife: Problem.averageHalfLife)
        for step in 0..<4 { optimizer.step(whole.tape(Problem.gradients(step)), rate: 0.01) }
        let saved = Dictionary(uniqueKeysWithValues: optimizer.state.map { ($0.name, $0.tensor.values) })
        let again = AdamW(resumed.parameters, Problem.settings, averageHalfLife: Problem.averageHalfLife)
        again.restore(steps: optimizer.steps) { name, _ in saved[name] ?? [] }
        for step in 4..<7 {
            optimizer.step(whole.tape(Problem.gradients(step)), rate: 0.01)
            again.step(resumed.tape(Problem.gradients(step)), rate: 0.01)
        }
        #expect(optimizer.state.map { $0.tensor.values } == again.state.map { $0.tensor.values })
        #expect(again.steps == 7)
    }

    @Test("torch's AdamW, clip_grad_norm_ and nan_to_num do the same", .enabled(if: pythonHasTorch))
    func followsTorch() throws {
        // Without the large one, whose numbers would be a long script.
        let count = 4
        let problem = Problem(count)
        let optimizer = AdamW(problem.parameters, Problem.settings, averageHalfLife: Problem.averageHalfLife)
        var lines: [String] = []
        for (step, rate) in Problem.rates.enumerated() where rate > 0 {
            optimizer.step(problem.tape(Problem.gradients(step, count)), rate: rate)
            let text = Problem.gradients(step, count).map { "[" + $0.map { "\($0)" }.joined(separator: ",") + "]" }
            lines.append("(\(rate), [\(text.joined(separator: ","))]),")
        }
        let initial = Problem(count).values.map { "\($0)" }.joined(separator: ",")
        let shapes = Problem.shapes.map { "\($0.shape)" }.joined(separator: ",")
        let output = try python(
            """
            import torch
            nan, inf = float('nan'), float('inf')
            values = [torch.tensor(v).reshape(s).requires_grad_() for v, s in zip([\(initial)], [\(shapes)])]
            decayed = [\(Problem.decays.map { $0 ? "True" : "False" }.joined(separator: ","))]
            optimizer = torch.optim.AdamW([
                dict(params=[v for v, d in zip(values, decayed) if d], weight_decay=0.3),
                dict(params=[v for v, d in zip(values, decayed) if not d], weight_decay=0.0)],
                lr=0.1, betas=(0.9, 0.96), eps=1e-8)
            for rate, gradients in [
            \(lines.joined(separator: "\n"))
            ]:
                for group in optimizer.param_groups: group['lr'] = rate
                for v, g in zip(values, gradients):
                    v.grad = torch.nan_to_num(torch.tensor(g).reshape(v.shape), nan=0.0, posinf=1e5, neginf=-1e5)
                torch.nn.utils.clip_grad_norm_(values, 1.5)
                optimizer.step()
            for v in values: print(*v.detach().flatten().tolist())
            """)
        let expected = output.split(separator: "\n").map { $0.split(separator: " ").compactMap { Double($0) } }
        #expect(difference(problem.values, expected) < 3e-6)
    }

    private func difference(_ a: [[Float]], _ b: [[Double]]) -> Double {
        guard a.map(\.count) == b.map(\.count) else { return .infinity }
        return zip(a.joined(), b.joined()).map { abs(Double($0) - $1) }.max() ?? .infinity
    }
}

@Suite struct ScheduleTests {
    private func schedule(peak: Double, end: Double, warmup: Int, decayStart: Int, steps: Int) -> LearningRateSchedule {
        var settings = OptimizerSettings()
        (settings.lr, settings.endLr, settings.warmup, settings.decayStart) = (peak, end, warmup, decayStart)
        return LearningRateSchedule(settings, steps: steps)
    }

    @Test func warmsUpStaysAndDecays() {
        let schedule = schedule(peak: 4e-4, end: 1e-5, warmup: 10, decayStart: 50, steps: 90)
        #expect(schedule.rate(at: 0) == 0)
        #expect(abs(schedule.rate(at: 5) - 2e-4) < 1e-12)
        for step in [10, 30, 50] { #expect(abs(schedule.rate(at: step) - 4e-4) < 1e-12) }
        #expect(abs(schedule.rate(at: 60) - (4e-4 - 3.9e-4 / 4)) < 1e-12)
        for step in [90, 1000] { #expect(abs(schedule.rate(at: step) - 1e-5) < 1e-12) }
        #expect((0..<90).allSatisfy { schedule.rate(at: $0).isFinite })
    }

    @Test func partsMayBeEmpty() {
        let schedule = schedule(peak: 1, end: 0.5, warmup: 0, decayStart: 4, steps: 4)
        #expect((0..<6).map { schedule.rate(at: $0) } == [1, 1, 1, 1, 0.5, 0.5])
    }
}
