import COpenBLAS

/// What OpenBLAS says of itself, for provenance and the doctor.
public enum BLAS {
    /// The processor core it runs code for, such as `SkylakeX`.
    public static var core: String { String(cString: openblas_get_corename()) }
    /// Threads that a call of it uses: one, set when the program starts.
    public static var threads: Int { Int(openblas_get_num_threads()) }
    /// Version and build options.
    public static var configuration: String { String(cString: openblas_get_config()) }
}
