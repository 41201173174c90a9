import Experiment
import Testing

@Suite struct CheckupTests {
    @Test func slowCoresAreComplainedAbout() throws {
        func warning(_ core: String, _ flags: Set<String>, forced: Bool = false) -> String? {
            Checkup.coreWarning(core: core, processorHas: flags, isForced: forced)
        }
        let modern: Set<String> = ["sse2", "avx", "avx2", "avx512f"]
        let forced = try #require(warning("Haswell", modern, forced: true))
        #expect(forced.contains("unset OPENBLAS_CORETYPE") && forced.contains("avx512f") && forced.contains("Haswell"))
        #expect(warning("Zen", modern)?.contains("unset") == false)
        #expect(warning("Nehalem", ["sse2", "avx"]) != nil)
        #expect(warning("SkylakeX", modern) == nil)
        #expect(warning("Cooperlake", modern) == nil)
        #expect(warning("Haswell", ["sse2", "avx", "avx2"]) == nil)
        // Not x86, or a core that is newer than this table.
        #expect(warning("NEOVERSEN1", []) == nil)
        #expect(warning("Diamondrapids", modern) == nil)
    }
}
