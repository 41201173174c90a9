import Experiment
import Files
import RunStore
import TensorCore
import Testing

@Suite struct CheckupTests {
    @Test func slowCoresAreWarnedOf() throws {
        func warning(_ core: String, _ instructions: InstructionSet, forced: Bool = false) -> String? {
            Checkup.coreWarning(core: core, on: instructions, isForced: forced)
        }
        let forced = try #require(warning("Haswell", .avx512, forced: true))
        #expect(forced.contains("unset OPENBLAS_CORETYPE") && forced.contains("avx512") && forced.contains("Haswell"))
        #expect(warning("Zen", .avx512)?.contains("unset") == false)
        #expect(warning("Nehalem", .avx2) != nil)
        #expect(warning("Haswell", .avx2) == nil)
        #expect(warning("SkylakeX", .avx512BFloat16) == nil)
    }

    /// What is needed and what there is, before anything is begun; estimates are good to a factor of 1.5.
    @Test func tooLittleMemoryIsSaidBeforehand() throws {
        let budget = AvailableMemory(bytes: 2e9, limit: "ulimit -v")
        #expect(try budget.warning(needed: 1.9e9, for: "stage prior") == nil)
        #expect(
            try budget.warning(needed: 2.5e9, for: "stage prior")
                == "warning: stage prior needs about 2.5 GB of memory, and there is 2.0 GB (ulimit -v)")
        let error = #expect(throws: InputError.self) { try budget.warning(needed: 3.1e9, for: "stage prior") }
        #expect(error?.message.contains("3.1 GB") == true && error?.message.contains("2.0 GB (ulimit -v)") == true)
        let here = AvailableMemory.current()
        #expect(here.bytes > 1e7 && here.bytes <= 1.1 * Double(Machine.current().memoryBytes) + 1e11)
    }
}
