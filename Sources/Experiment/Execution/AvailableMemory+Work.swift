import Files
import Foundation

extension AvailableMemory {
    /// What to say before work that needs so much is begun; nil where there is room. Estimates are good to a factor of 1.5, so
    /// that a little too much is worth a try.
    ///
    /// - Throws: an `InputError` where it cannot be enough.
    public func warning(needed: Double, for work: String) throws -> String? {
        guard needed > bytes else { return nil }
        let sizes = "\(work) needs about \(Self.text(needed)) of memory, and there is \(Self.text(bytes)) (\(limit))"
        guard needed <= 1.5 * bytes else {
            throw InputError("\(sizes); fewer --workers, a smaller batch or smaller models need less")
        }
        return "warning: \(sizes)"
    }

    private static func text(_ bytes: Double) -> String {
        bytes < 1e9 ? String(format: "%.0f MB", bytes / 1e6) : String(format: "%.1f GB", bytes / 1e9)
    }
}
