import COpenBLAS

/// What OpenBLAS says of itself, for provenance and the doctor.
public enum BLAS {
    /// The processor core it runs code for, such as `SkylakeX`.
    public static var core: String { String(cString: openblas_get_corename()) }
    /// Threads that a call of it uses: one, set when the program starts.
    public static var threads: Int { Int(openblas_get_num_threads()) }
    /// Version and build options.
    public static var configuration: String { String(cString: openblas_get_config()) }

    /// The value of `OPENBLAS_CORETYPE` that suits a processor with `instructions` better than `core`; nil where none does.
    ///
    /// An OpenBLAS that is older than the processor takes it for one of the oldest, which costs three quarters of its speed.
    public static func fasterCore(than core: String, on instructions: InstructionSet) -> String? {
        guard let used = instructionSet(ofCore: core), used < min(instructions, .avx512) else { return nil }
        return instructions == .avx2 ? "Haswell" : "SkylakeX"
    }

    /// The instructions that OpenBLAS's kernels for `core` use; nil for a core that is not x86, or newer than this table.
    public static func instructionSet(ofCore core: String) -> InstructionSet? {
        switch core.lowercased() {
        case "prescott", "core2", "penryn", "dunnington", "nehalem", "athlon", "opteron", "barcelona", "bobcat", "atom", "sandybridge",
            "bulldozer", "piledriver", "steamroller":
            .plain
        case "haswell", "zen", "excavator": .avx2
        case "skylakex", "cooperlake", "sapphirerapids": .avx512
        default: nil
        }
    }
}
