import Foundation
import TensorCore

/// Starts the program again with OpenBLAS's kernels for this processor, where OpenBLAS has chosen those of an older one.
///
/// OpenBLAS chooses while it is loaded, before any code of the program runs, and afterwards only from `OPENBLAS_CORETYPE`. Who sets that
/// variable keeps their choice.
func useFasterCore() {
    guard ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"] == nil, let best = InstructionSet.supported.last,
        let core = BLAS.fasterCore(than: BLAS.core, on: best)
    else { return }
    setenv("OPENBLAS_CORETYPE", core, 1)
    execv("/proc/self/exe", CommandLine.unsafeArgv)
    // Without /proc the program goes on as it is, slower.
    unsetenv("OPENBLAS_CORETYPE")
}
