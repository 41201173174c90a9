import COpenBLAS

/// c[m, n] = a·bᵀ + beta·c in float64 for row-major a[m, k] and b[n, k].
func multiply(
    into c: UnsafeMutablePointer<Double>, _ a: UnsafePointer<Double>, transposed b: UnsafePointer<Double>, m: Int,
    n: Int, k: Int, beta: Double = 0
) {
    cblas_dgemm(
        Int32(BLAS_ROW_MAJOR), Int32(BLAS_NO_TRANS), Int32(BLAS_TRANS), Int32(m), Int32(n), Int32(k), 1, a, Int32(k), b,
        Int32(k), beta, c, Int32(n))
}

/// The same in float32.
func multiply(
    into c: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, transposed b: UnsafePointer<Float>, m: Int, n: Int,
    k: Int, beta: Float = 0
) {
    cblas_sgemm(
        Int32(BLAS_ROW_MAJOR), Int32(BLAS_NO_TRANS), Int32(BLAS_TRANS), Int32(m), Int32(n), Int32(k), 1, a, Int32(k), b,
        Int32(k), beta, c, Int32(n))
}

/// c[m, n] = aᵀ·b in float32 for row-major a[k, m] and b[k, n].
func multiply(
    into c: UnsafeMutablePointer<Float>, transposed a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, m: Int, n: Int,
    k: Int
) {
    cblas_sgemm(
        Int32(BLAS_ROW_MAJOR), Int32(BLAS_TRANS), Int32(BLAS_NO_TRANS), Int32(m), Int32(n), Int32(k), 1, a, Int32(m), b,
        Int32(n), 0, c, Int32(n))
}

/// Upper triangle of c[columns, columns] += rowsᵀ·rows for row-major rows[count, columns].
func addOuterProducts(of rows: UnsafePointer<Double>, count: Int, columns: Int, to c: UnsafeMutablePointer<Double>) {
    cblas_dsyrk(
        Int32(BLAS_ROW_MAJOR), Int32(BLAS_UPPER), Int32(BLAS_TRANS), Int32(columns), Int32(count), 1, rows,
        Int32(columns), 1, c, Int32(columns))
}
