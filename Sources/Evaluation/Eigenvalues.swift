import COpenBLAS
import Files

/// Eigenvalues of a symmetric matrix given by its upper triangle, smallest first. Overwrites the matrix.
func symmetricEigenvalues(_ matrix: inout [Double], size: Int) throws -> [Double] {
    // Row-major upper is column-major lower.
    try decompose(&matrix, size: size, vectors: "N", triangle: "L")
}

/// The same of a whole matrix, which becomes its eigenvectors, one a row.
func symmetricEigenvectors(_ matrix: inout [Double], size: Int) throws -> [Double] {
    try decompose(&matrix, size: size, vectors: "V", triangle: "U")
}

private func decompose(_ matrix: inout [Double], size: Int, vectors: String, triangle: String) throws -> [Double] {
    var values = [Double](repeating: 0, count: size)
    guard size > 0 else { return values }
    var n = Int32(size), info: Int32 = 0
    // The first call asks how much room is needed.
    var work = [0.0], integers: [Int32] = [0]
    var (workSize, integerSize): (Int32, Int32) = (-1, -1)
    dsyevd_(vectors, triangle, &n, &matrix, &n, &values, &work, &workSize, &integers, &integerSize, &info)
    (workSize, integerSize) = (Int32(work[0]), integers[0])
    work = [Double](repeating: 0, count: Int(workSize))
    integers = [Int32](repeating: 0, count: Int(integerSize))
    dsyevd_(vectors, triangle, &n, &matrix, &n, &values, &work, &workSize, &integers, &integerSize, &info)
    precondition(info >= 0, "dsyevd: argument \(-info) is invalid")
    guard info == 0 else {
        throw InputError("the eigenvalues of a [\(size), \(size)] matrix did not converge (dsyevd: \(info))")
    }
    return values
}
