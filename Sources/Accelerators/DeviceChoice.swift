import Files
import PJRT

/// Where models run, as `--device` says.
public enum DeviceChoice: Equatable, Sendable, CustomStringConvertible {
    /// On this program's own kernels.
    case cpu
    /// On the device of a PJRT plugin: the one of that name, or the most wanted one of this machine.
    case xla(plugin: String?)

    /// `cpu`, `xla` or `xla:NAME`.
    public init(_ text: String) throws {
        switch text {
        case "cpu": self = .cpu
        case "xla": self = .xla(plugin: nil)
        case let named where named.hasPrefix("xla:") && named.count > 4: self = .xla(plugin: String(named.dropFirst(4)))
        default:
            let hint = nearest(to: text, among: ["cpu", "xla"]).map { "; did you mean '\($0)'?" } ?? ""
            throw InputError("device '\(text)' is none of cpu, xla, xla:NAME with the name of a plugin (prologue doctor lists them)\(hint)")
        }
    }

    /// As `--device` has it.
    public var description: String {
        switch self {
        case .cpu: "cpu"
        case .xla(let name): name.map { "xla:\($0)" } ?? "xla"
        }
    }

    /// Throws where there is no such plugin; opens nothing.
    public func check() throws {
        if case .xla(let name) = self { _ = try PluginSearch().plugin(named: name) }
    }

    /// The device, opened; nil for this program's own kernels.
    ///
    /// - Throws: `InputError` where there is no such plugin, or how to get one; `PJRTError` where it has no device.
    public func open() throws -> Accelerator? {
        switch self {
        case .cpu: nil
        case .xla(let name): try Accelerator(named: name)
        }
    }
}
