import Foundation

/// Memory that is needed because a file says so, asked for before it is taken: a small file can claim to hold anything.
public enum MemoryClaim {
    /// Smaller claims are not checked.
    private static let piece = 1 << 26

    /// Throws an `InputError` that names `file` and `what` unless this process can have `bytes` more.
    public static func require(_ bytes: Int, file: String, _ what: @autoclosure () -> String) throws {
        guard bytes >= piece else { return }
        let available = AvailableMemory.current().bytes
        // An address space may have no hole of that size, which only asking tells.
        let trial = Double(bytes) <= available ? malloc(bytes) : nil
        free(trial)
        guard trial != nil else {
            throw InputError(
                file: file,
                "\(what()) takes \(bytes >> 20) MiB of memory, which cannot be had (\(Int(min(available, 1e18)) >> 20) MiB are free)")
        }
    }
}
