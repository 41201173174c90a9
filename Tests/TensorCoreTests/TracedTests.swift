import Accelerators
import PJRT
import TensorCore
import TestSupport
import Testing

/// Traced ops, compiled and run by the CPU plugin, against the ops that compute.
@Suite(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
struct TracedTests {
    /// Where a plugin refuses what its platform has of its own, the plain form runs, and that is noted.
    @Test func aRefusedFormIsReplacedByThePlainOne() throws {
        let program = Program("doubling")
        program.output("y", 2 * program.input("x", [3]))
        var traced = program.traced()
        traced.ownTexts["cpu"] = traced.text.replacing("stablehlo.multiply", with: "stablehlo.no_such_thing")
        let accelerator = try Accelerator(testClient(devices: 1))
        var notes: [String] = []
        accelerator.note = { notes.append($0) }
        let x = try accelerator.copy(Tensor([1, 2, 3], shape: [3]))
        let y = try accelerator.compile(traced).run(["x": x]).tensor("y")
        #expect(y.values == [2, 4, 6])
        #expect(notes.count == 1 && notes[0].contains("doubling") && notes[0].contains("no_such_thing"))
    }

    @Test("Traced ops have the values and gradients of computing ones", arguments: GradientTable.rows)
    func gradientTable(row: GradientRow) throws {
        let examples = row.cases()
        let weights = examples.map { random([$0.apply($0.inputs).count], "weights").values }
        // All cases of an op in one program, which is compiled once.
        let program = Program("table")
        for (number, example) in examples.enumerated() {
            let tape = Tape()
            let inputs = example.inputs.enumerated().map { tape.variable(program.input("\(number) \($0)", $1.shape)) }
            let y = example.apply(inputs)
            #expect(y.isTraced)
            tape.backward(from: weightedSum(y, weights: weights[number]))
            program.output("\(number) value", y.detached())
            for (index, input) in inputs.enumerated() {
                program.output("\(number) gradient \(index)", try #require(tape.gradient(of: input)))
            }
        }
        let accelerator = try Accelerator(testClient(devices: 1))
        var buffers: [String: Buffer] = [:]
        for (number, example) in examples.enumerated() {
            for (index, input) in example.inputs.enumerated() { buffers["\(number) \(index)"] = try accelerator.copy(input) }
        }
        let results = try accelerator.compile(program.traced()).run(buffers)
        for (number, example) in examples.enumerated() {
            let tape = Tape()
            let inputs = example.inputs.map { tape.variable($0) }
            let y = example.apply(inputs)
            tape.backward(from: weightedSum(y, weights: weights[number]))
            let title = "\(row.op) \(example.title)"
            let value = try results.tensor("\(number) value")
            #expect(value.shape == y.shape)
            #expect(largestError(value.values, y.values) < 1e-5, "\(title): value")
            var gradients: [[Float]] = []
            for (index, input) in inputs.enumerated() {
                let traced = try results.tensor("\(number) gradient \(index)").values
                let gradient = try #require(tape.gradient(of: input)).values
                // Where nothing depends on an input, both are rounding of sums of the weights.
                let floor: Float = example.flat.contains(index) ? 1 : 0
                #expect(largestError(traced, gradient, floor: floor) < 1e-4, "\(title): gradient of input \(index)")
                gradients.append(traced)
            }
            let failures = GradientCheck(op: row.op, example, gradients: gradients).failures
            #expect(failures.isEmpty, "traced: \(failures.prefix(4).joined(separator: "\n"))")
        }
    }
}

/// The largest difference, as a share of the largest expected number, or of `floor` where that is larger.
func largestError(_ values: [Float], _ expected: [Float], floor: Float = 0) -> Float {
    guard values.count == expected.count else { return .infinity }
    let largest = max(expected.map(abs).max() ?? 0, max(floor, 1e-6))
    let differences = zip(values, expected).map { abs($0 - $1) }
    return differences.contains(where: \.isNaN) ? .infinity : (differences.max() ?? 0) / largest
}
