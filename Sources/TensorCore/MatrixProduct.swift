import COpenBLAS

/// Matrix products through OpenBLAS, one single-threaded call a core: the split is ours, so it is the same
/// every time, and a product inside a parallel loop costs nothing extra.
enum MatrixProduct {
    /// C = op(A)·op(B) (+ C), row-major; A is [m,k] (or [k,m] transposed), B [k,n] (or [n,k]), on this thread only.
    static func serial(
        _ c: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        m: Int, n: Int, k: Int, lda: Int, ldb: Int, ldc: Int,
        transposeA: Bool = false, transposeB: Bool = false, accumulates: Bool = false
    ) {
        Profile.count(m, n, k)
        cblas_sgemm(
            Int32(BLAS_ROW_MAJOR),
            Int32(transposeA ? BLAS_TRANS : BLAS_NO_TRANS),
            Int32(transposeB ? BLAS_TRANS : BLAS_NO_TRANS),
            Int32(m), Int32(n), Int32(k), 1, a, Int32(lda), b, Int32(ldb), accumulates ? 1 : 0, c, Int32(ldc))
    }

    /// The same over all threads, contiguous operands; `before` prepares the rows of C that a thread is about to fill.
    static func parallel(
        _ c: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        m: Int, n: Int, k: Int, transposeA: Bool = false, transposeB: Bool = false, accumulates: Bool = false,
        before: ((Range<Int>) -> Void)? = nil
    ) {
        guard m > 0, n > 0 else { return }
        // Splitting the longer side of C keeps each part's packing cheap.
        let work = m * n * k
        let parts = work < 1 << 16 ? 1 : Parallel.threads
        if m >= n || before != nil {
            let size = ((m + parts - 1) / parts + 15) / 16 * 16
            Parallel.chunks((m + size - 1) / size) { part in
                let rows = part * size..<min(m, (part + 1) * size)
                before?(rows)
                serial(
                    c + rows.lowerBound * n, transposeA ? a + rows.lowerBound : a + rows.lowerBound * k, b,
                    m: rows.count, n: n, k: k, lda: transposeA ? m : k, ldb: transposeB ? k : n, ldc: n,
                    transposeA: transposeA, transposeB: transposeB, accumulates: accumulates)
            }
        } else {
            let size = ((n + parts - 1) / parts + 15) / 16 * 16
            Parallel.chunks((n + size - 1) / size) { part in
                let columns = part * size..<min(n, (part + 1) * size)
                serial(
                    c + columns.lowerBound, a, transposeB ? b + columns.lowerBound * k : b + columns.lowerBound,
                    m: m, n: columns.count, k: k, lda: transposeA ? m : k, ldb: transposeB ? k : n, ldc: n,
                    transposeA: transposeA, transposeB: transposeB, accumulates: accumulates)
            }
        }
    }
}
