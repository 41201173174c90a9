import CKernels

/// The instructions that kernels are compiled for; each set holds those before it.
public enum InstructionSet: Int32, CaseIterable, Comparable, Sendable, CustomStringConvertible {
    case plain, avx2, avx512
    /// AVX-512 with products of bfloat16; without them float32 arithmetic gives the same up to the order of sums.
    case avx512BFloat16
    /// Products of bfloat16 by tiles of 16 rows.
    case amx

    /// What kernels use: the largest set that this processor has, or the one that `PROLOGUE_KERNELS` names.
    public static var current: InstructionSet { InstructionSet(rawValue: kernels_used()) ?? .plain }

    /// Those that this processor has.
    public static var supported: [InstructionSet] { allCases.filter { $0.rawValue <= kernels_supported() } }

    public static func < (a: InstructionSet, b: InstructionSet) -> Bool { a.rawValue < b.rawValue }

    public var description: String { String(cString: kernels_name(rawValue)) }

    /// Runs `body` with no more than these instructions, on the calling thread alone.
    package func limit<Result>(_ body: () throws -> Result) rethrows -> Result {
        let before = kernels_limit(rawValue)
        defer { _ = kernels_limit(before) }
        return try body()
    }
}
