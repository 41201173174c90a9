import PJRT

/// A plugin that was found on this machine, and what it says when it is opened.
public struct PluginCheck: Sendable {
    public let name: String
    /// Where it lies and was found, its version and its devices, in words.
    public let found: String
    /// Why it cannot be used.
    public let problem: String?

    /// All of this machine, the most wanted first.
    public static func all(_ search: PluginSearch = PluginSearch()) -> [PluginCheck] { search.plugins().map(PluginCheck.init) }

    /// How to get one.
    public static func advice(_ search: PluginSearch = PluginSearch()) -> String {
        do { return try search.plugin().path } catch { return "\(error)" }
    }

    init(_ found: FoundPlugin) {
        name = found.name
        var words = ["\(found.path) (\(found.origin))"]
        do {
            let plugin = try Plugin(path: found.path)
            words.append("PJRT \(plugin.version.major).\(plugin.version.minor)")
            // A look must not take a device's memory.
            let client = try Client(plugin, options: found.name == "cuda" || found.name == "rocm" ? ["preallocate": .flag(false)] : [:])
            let kinds = Dictionary(grouping: client.devices, by: \.kind).sorted { $0.key < $1.key }
            words += kinds.map { kind, devices in
                let memory = (try? devices[0].memory())??.limit.map { ", \($0 / (1 << 20)) MiB" } ?? ""
                return "\(devices.count) × \(kind)\(memory)"
            }
            problem = nil
        } catch {
            problem = "\(error)"
        }
        self.found = words.joined(separator: "; ")
    }
}
