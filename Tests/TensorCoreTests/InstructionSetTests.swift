import Foundation
import TensorCore
import Testing

@Suite struct InstructionSetTests {
    /// Values and gradients of every op agree, to rounding, whatever instructions compute them.
    @Test(arguments: GradientTable.rows) func everySetComputesTheSame(row: GradientRow) {
        for (number, example) in row.cases().enumerated() {
            let ours = ReproducibilityTests.valuesAndGradients(example)
            for set in InstructionSet.supported {
                let others = set.limit { ReproducibilityTests.valuesAndGradients(example) }
                #expect(ReproducibilityTests.close(ours, others), "\(row.op), case \(number), \(set)")
            }
        }
    }

    /// Only where OpenBLAS is known to leave out what the processor has.
    @Test(
        arguments: [(String, InstructionSet, String?)]([
            ("Prescott", .avx512BFloat16, "SkylakeX"), ("Prescott", .avx512, "SkylakeX"), ("Nehalem", .avx2, "Haswell"),
            ("Haswell", .avx512, "SkylakeX"), ("Zen", .avx2, nil), ("Cooperlake", .avx512BFloat16, nil), ("SkylakeX", .avx512BFloat16, nil),
            ("Nehalem", .plain, nil), ("NEOVERSEN1", .plain, nil), ("Diamondrapids", .amx, nil), ("Prescott", .amx, "SkylakeX"),
            ("SapphireRapids", .amx, nil),
        ]))
    func aFasterCoreIsOneThatTheProcessorHas(core: String, instructions: InstructionSet, faster: String?) {
        #expect(BLAS.fasterCore(than: core, on: instructions) == faster)
    }

    /// A limit holds for the thread that set it, and ends.
    @Test func limitsAreOfOneThread() {
        let before = InstructionSet.current
        InstructionSet.plain.limit {
            #expect(InstructionSet.current == .plain)
            let ended = DispatchSemaphore(value: 0)
            Thread {
                #expect(InstructionSet.current == before)
                ended.signal()
            }.start()
            ended.wait()
        }
        #expect(InstructionSet.current == before)
    }

    /// The sets in use are those of the variable, if the tests were started with it.
    @Test func variableIsObeyed() throws {
        #expect(InstructionSet.supported.first == .plain)
        guard let name = ProcessInfo.processInfo.environment["PROLOGUE_KERNELS"], !name.isEmpty else {
            #expect(InstructionSet.current == InstructionSet.supported.last)
            return
        }
        #expect("\(InstructionSet.current)" == name)
    }

    /// Without any product before: OpenBLAS has one thread for whoever calls it, from the start on.
    @Test func openBLASHasOneThread() async {
        await #expect(processExitsWith: .success) { #expect(BLAS.threads == 1) }
    }
}
