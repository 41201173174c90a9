import Accelerators
import PJRT
import TensorCore
import TestSupport
import Testing

extension TracedTests {
    typealias Blocks = BFloat16Tests.Blocks

    /// Traced blocks of bfloat16 are as near to float32 as computing ones, within a factor of two.
    @Test(arguments: Blocks.blocks) func bfloat16Blocks(block: Blocks.Block) throws {
        let inputs = block.inputs()
        let plain = Blocks.valueAndGradients(block.plain, inputs)
        let fused = Blocks.valueAndGradients(block.fused, inputs)
        let traced = try valueAndGradients(block.fused, inputs)
        for index in plain.indices {
            let (own, allowed) = (Blocks.distance(traced[index], plain[index]), 2 * Blocks.distance(fused[index], plain[index]))
            // Few numbers may be exact by chance on one side.
            let floor = plain[index].count < 64 ? 0.005 : 1e-6
            #expect(own <= max(allowed, floor), "\(index == 0 ? "value" : "gradient \(index - 1)"): \(own), allowed \(allowed)")
        }
    }

    private func valueAndGradients(_ op: ([Tensor]) -> Tensor, _ values: [Tensor]) throws -> [[Float]] {
        let program = Program("block")
        let tape = Tape()
        let inputs = values.enumerated().map { tape.variable(program.input("\($0)", $1.shape)) }
        let y = op(inputs)
        tape.backward(from: weightedSum(y, weights: random(y.shape, "weights").values))
        program.output("value", y.detached())
        for (index, input) in inputs.enumerated() {
            program.output("gradient \(index)", try #require(tape.gradient(of: input)))
        }
        let accelerator = try Accelerator(testClient(devices: 1))
        var buffers: [String: Buffer] = [:]
        for (index, value) in values.enumerated() { buffers["\(index)"] = try accelerator.copy(value) }
        let results = try accelerator.compile(program.traced()).run(buffers)
        return try [results.tensor("value").values] + values.indices.map { try results.tensor("gradient \($0)").values }
    }
}
