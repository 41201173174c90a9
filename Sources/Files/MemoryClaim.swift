import Foundation

/// Memory that is needed because a file says so, asked for before it is taken: a small file can claim to hold anything.
public enum MemoryClaim {
    /// What is asked for in smaller pieces is not looked at.
    private static let piece = 1 << 26

    /// Throws an `InputError` that names `file` and `what` unless this process can have `bytes` more.
    public static func require(_ bytes: Int, file: String, _ what: @autoclosure () -> String) throws {
        guard bytes >= piece else { return }
        let available = self.available
        // An address space may be limited besides (`ulimit -v`), which only asking tells.
        let trial = bytes <= available ? malloc(bytes) : nil
        free(trial)
        guard trial != nil else {
            throw InputError(
                file: file, "\(what()) takes \(bytes >> 20) MiB of memory, which cannot be had (\(available >> 20) MiB are free)")
        }
    }

    /// What the system can give without swapping, as it says itself; where it says nothing, as much as one can address.
    private static var available: Int {
        guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return 1 << 46 }
        return kibibytes << 10
    }
}
