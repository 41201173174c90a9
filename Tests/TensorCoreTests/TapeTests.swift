import TensorCore
import Testing

@Suite struct TapeTests {
    private let shape = [3, 5]

    /// y = x·x + x: dy/dx = 2x + 1, the sum over three uses.
    @Test func gradientsOfAllUsesAddUp() {
        let tape = Tape()
        let value = random(shape)
        let x = tape.variable(value)
        tape.backward(from: weightedSum(x * x + x, weights: [Float](repeating: 1, count: 15)))
        #expect(tape.gradient(of: x)?.values == value.values.map { 2 * $0 + 1 })
    }

    /// A parameter's uses, through ops that add in place and ops that do not, in every order.
    @Test func parameterCollectsTheGradientsOfItsUses() {
        let w = Parameter(name: "w", value: random([4, 5], "w"))
        let (x, z) = (random([2, 5], "x"), random([4, 5], "z"))
        let ids = TokenTensor([3, 0, 3], shape: [3])
        // Gradients of Σ x·wᵀ, Σ z∘w and Σ w[ids] by their formulas.
        let byLinear = (0..<20).map { i -> Float in x.values[i % 5] + x.values[5 + i % 5] }
        let byProduct = z.values
        let byLookup = (0..<20).map { i in Float(ids.ids.count { Int($0) == i / 5 }) }
        func sum(_ x: Tensor) -> Tensor { weightedSum(x, weights: [Float](repeating: 1, count: x.count)) }
        let uses: [(Tape) -> Tensor] = [
            { sum(linear(x, weight: w(on: $0))) }, { sum(z * w(on: $0)) }, { sum(embedding(ids, table: w(on: $0))) },
            { sum(linear(x, weight: w(on: $0))) },
        ]
        let expected = (0..<20).map { i -> Float in 2 * byLinear[i] + byProduct[i] + byLookup[i] }
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 1, 0, 3], [1, 2, 0, 3]] {
            let tape = Tape(differentiating: [w])
            tape.backward(from: order.map { uses[$0](tape) }.reduce(.zeros([1])) { $0 + $1 })
            let gradient = tape.gradient(of: w)?.values ?? []
            #expect(gradient.count == 20 && zip(gradient, expected).allSatisfy { abs($0 - $1) < 1e-5 }, "order \(order)")
        }
    }

    /// A gradient that two inputs share must not be changed when one of them collects more.
    @Test func sharedGradientsAreNotOverwritten() {
        let tape = Tape()
        let (a, b) = (tape.variable(random(shape, "a")), tape.variable(random(shape, "b")))
        let w = tape.variable(random([5, 5], "w"))
        let sum = a + b
        tape.backward(from: weightedSum(sum + linear(a, weight: w) + a, weights: [Float](repeating: 1, count: 15)))
        let columns = (0..<15).map { i -> Float in
            2 + (0..<5).map { w.values[$0 * 5 + i % 5] }.reduce(0, +)
        }
        #expect(tape.gradient(of: b)?.values == [Float](repeating: 1, count: 15))
        #expect(zip(tape.gradient(of: a)?.values ?? [], columns).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    /// One of two losses played back before the other is recorded: the same gradients, with fewer activations at once.
    @Test func partsCanBePlayedBackEarly() {
        let w = Parameter(name: "w", value: random([5, 5], "w"))
        let x = random(shape, "x")
        let ones = [Float](repeating: 1, count: 15)
        func gradients(early: Bool) -> (w: [Float], x: [Float], loss: Float) {
            let tape = Tape(differentiating: [w])
            let input = tape.variable(x)
            let shared = input * input
            let mark = tape.mark
            var first = weightedSum(linear(shared, weight: w(on: tape)), weights: ones)
            if early { first = tape.playBack(to: mark, from: first) }
            // The parameter that the first part used, and what came before it, may be used again.
            let total = first + weightedSum(linear(shared * shared, weight: w(on: tape)), weights: ones)
            tape.backward(from: total)
            return (tape.gradient(of: w)?.values ?? [], tape.gradient(of: input)?.values ?? [], total.scalar)
        }
        let (early, late) = (gradients(early: true), gradients(early: false))
        #expect(early.loss == late.loss && early.w.count == 25 && early.x.count == 15)
        #expect(zip(early.w, late.w).allSatisfy { abs($0 - $1) < 1e-5 * (1 + abs($1)) })
        #expect(zip(early.x, late.x).allSatisfy { abs($0 - $1) < 1e-5 * (1 + abs($1)) })
    }

    /// Gradients flow through parameters that were not asked for, never to them.
    @Test func onlyWantedParametersGetGradients() {
        let (first, second) = (
            Parameter(name: "first", value: random([5, 5], "first")),
            Parameter(name: "second", value: random([2, 5], "second"))
        )
        func run(_ wanted: [Parameter]) -> Tape {
            let tape = Tape(differentiating: wanted)
            let x = random([3, 5])
            let y = linear(gelu(linear(x, weight: first(on: tape))), weight: second(on: tape))
            tape.backward(from: mean(y))
            return tape
        }
        let both = run([first, second])
        let through = run([first])
        #expect(through.gradient(of: second) == nil)
        #expect(through.gradient(of: first)?.values == both.gradient(of: first)?.values)
        #expect(through.gradient(of: first)?.values.contains { $0 != 0 } == true)
        let last = run([second])
        #expect(last.gradient(of: first) == nil)
        #expect(last.gradient(of: second)?.values == both.gradient(of: second)?.values)
    }

    /// What no wanted gradient passes through is not recorded: its intermediate memory is free again at once.
    @Test func constantPartsRecordNothing() async {
        await #expect(processExitsWith: .success) {
            let frozen = Parameter(name: "frozen", value: random([64, 64], "frozen"))
            let wanted = Parameter(name: "wanted", value: random([64, 64], "wanted"))
            func memory(of tape: Tape, _ parameter: Parameter) -> Int {
                let before = BufferPool.shared.use.live
                let loss = mean(gelu(gelu(linear(random([64, 64]), weight: parameter(on: tape)))))
                return withExtendedLifetime((tape, loss)) { BufferPool.shared.use.live - before }
            }
            let tape = Tape(differentiating: [wanted])
            let scalar = memory(of: tape, frozen)
            #expect(scalar <= 64)
            #expect(memory(of: tape, wanted) >= 3 * 64 * 64 * 4)
        }
    }

    @Test func detachedAndConstantTensorsStopGradients() {
        let tape = Tape()
        let value = random(shape)
        let x = tape.variable(value)
        let constant = tape.constant(value)
        tape.backward(from: mean(x * x.detached() + constant * x))
        #expect(tape.gradient(of: constant) == nil)
        let expected = value.values.map { 2 * $0 / 15 }
        #expect(zip(tape.gradient(of: x)?.values ?? [], expected).allSatisfy { abs($0 - $1) < 1e-6 })
        #expect(x.detached().tape == nil)
        #expect(tape.gradient(of: x.detached()) == nil)
    }

    /// Reshaping shares memory and passes gradients on.
    @Test func reshapedTensorsPassGradients() {
        let tape = Tape()
        let x = tape.variable(random([2, 3, 5]))
        let flat = x.reshaped([6, 5])
        tape.backward(from: weightedSum(flat, weights: (0..<30).map { Float($0) }))
        #expect(tape.gradient(of: x)?.values == (0..<30).map { Float($0) })
        #expect(flat.sharesMemory(with: x))
    }

    @Test func unusedVariablesHaveNoGradient() {
        let tape = Tape()
        let (x, unused) = (tape.variable(random(shape)), tape.variable(random(shape)))
        _ = gelu(unused)
        tape.backward(from: mean(x))
        #expect(tape.gradient(of: unused) == nil)
        #expect(tape.gradient(of: x) != nil)
    }
}
