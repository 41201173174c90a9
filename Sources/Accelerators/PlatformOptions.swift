import PJRT

/// Options of the compiler for a platform, beside its defaults; they are a part of what kept executables depend on.
func compilerOptions(for platform: String) -> [String: Client.Option] {
    guard platform == "cuda" else { return [:] }
    return [
        // Products by cuBLASLt: Triton's kernels write values of norms in float32 that other kernels read again.
        "xla_gpu_enable_triton_gemm": .flag(false)
    ]
}
