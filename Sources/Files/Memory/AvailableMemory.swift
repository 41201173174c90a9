import Foundation

/// How much memory this process can still get, by the tightest of the limits that it is under.
public struct AvailableMemory: Equatable, Sendable {
    public let bytes: Double
    /// Which limit that is, for people.
    public let limit: String

    public init(bytes: Double, limit: String) { (self.bytes, self.limit) = (bytes, limit) }

    /// That of this machine, process and control group.
    public static func current() -> AvailableMemory {
        var limits: [AvailableMemory] = []
        let memory = fields(of: "/proc/meminfo")
        if let available = memory["MemAvailable"] {
            limits.append(AvailableMemory(bytes: 1024 * (available + (memory["SwapFree"] ?? 0)), limit: "what this machine has left"))
        }
        var address = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &address) == 0, address.rlim_cur != rlim_t.max {
            let used = 1024 * (fields(of: "/proc/self/status")["VmSize"] ?? 0)
            limits.append(AvailableMemory(bytes: max(0, Double(address.rlim_cur) - used), limit: "ulimit -v"))
        }
        for (most, used) in controlGroups() { limits.append(AvailableMemory(bytes: max(0, most - used), limit: "the control group")) }
        return limits.min { $0.bytes < $1.bytes } ?? AvailableMemory(bytes: .infinity, limit: "none")
    }

    /// Numbers of a file with lines like `MemAvailable:  123 kB`.
    private static func fields(of path: String) -> [String: Double] {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n").compactMap { line -> (String, Double)? in
            let words = line.split { $0 == ":" || $0 == " " || $0 == "\t" }
            return words.count > 1 ? Double(words[1]).map { (String(words[0]), $0) } : nil
        }
        return Dictionary(lines, uniquingKeysWith: { first, _ in first })
    }

    /// Limit and use, in bytes, of the control groups that this process is in: of version 2 from its own up to the root.
    private static func controlGroups() -> [(most: Double, used: Double)] {
        func number(_ path: String) -> Double? {
            (try? String(contentsOfFile: path, encoding: .utf8)).flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        }
        /// Pages of files give way where memory is wanted.
        func cached(_ path: String, _ key: String) -> Double { fields(of: path)[key] ?? 0 }
        var found: [(most: Double, used: Double)] = []
        let own = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
        if let path = own.split(separator: "\n").first(where: { $0.hasPrefix("0::") })?.dropFirst(3) {
            var parts = path.split(separator: "/").map(String.init)
            while true {
                let folder = "/sys/fs/cgroup/" + parts.joined(separator: "/")
                if let most = number("\(folder)/memory.max"), let used = number("\(folder)/memory.current") {
                    found.append((most, used - cached("\(folder)/memory.stat", "inactive_file")))
                }
                if parts.isEmpty { break }
                parts.removeLast()
            }
        }
        let first = "/sys/fs/cgroup/memory/"
        if let most = number(first + "memory.limit_in_bytes"), most < 1e18, let used = number(first + "memory.usage_in_bytes") {
            found.append((most, used - cached(first + "memory.stat", "total_inactive_file")))
        }
        return found
    }
}
