import PJRT

/// Options of the compiler for a platform, beside its defaults; they are a part of what kept executables depend on.
func compilerOptions(for platform: String) -> [String: Client.Option] {
    switch platform {
    case "cuda":
        [
            deterministic: .flag(true),
            // Products by cuBLASLt: Triton's kernels write values of norms in float32 that other kernels read again.
            "xla_gpu_enable_triton_gemm": .flag(false),
        ]
    case "rocm": [deterministic: .flag(true)]
    // Processors add up in one order; the compilers of others have no such choice, or none that is known here.
    default: [:]
    }
}

/// Kernels whose sums depend on which thread comes first are replaced by others or refused, so that a resumed training is the
/// undisturbed one. What autotuning chooses stays the same because executables are kept.
private let deterministic = "xla_gpu_exclude_nondeterministic_ops"
