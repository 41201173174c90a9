import Files
import PJRT

/// Where models run, as `--device` says.
public enum DeviceChoice: Equatable, Sendable, CustomStringConvertible {
    /// On this program's own kernels.
    case cpu
    /// On devices of a PJRT plugin: the one of that name, or the most wanted one of this machine.
    case xla(plugin: String?, devices: DeviceNumbers = .first)

    /// `cpu`, `xla` or `xla:NAME`, the latter two also with devices behind them: `xla:all`, `xla:cuda:0-3`.
    public init(_ text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1 where text == "cpu": self = .cpu
        case 1 where text == "xla": self = .xla(plugin: nil)
        case 2 where parts[0] == "xla" && !parts[1].isEmpty:
            let devices = try DeviceNumbers(parts[1])
            self = .xla(plugin: devices == nil ? parts[1] : nil, devices: devices ?? .first)
        case 3 where parts[0] == "xla" && !parts[1].isEmpty:
            guard try DeviceNumbers(parts[1]) == nil, let devices = try DeviceNumbers(parts[2]) else { fallthrough }
            self = .xla(plugin: parts[1], devices: devices)
        default:
            let hint = nearest(to: text, among: ["cpu", "xla"]).map { "; did you mean '\($0)'?" } ?? ""
            throw InputError(
                "device '\(text)' is none of cpu, xla, xla:NAME with the name of a plugin (prologue doctor lists them), "
                    + "xla:all, xla:0-3, xla:NAME:0-3 with numbers of devices\(hint)")
        }
    }

    /// As `--device` has it.
    public var description: String {
        switch self {
        case .cpu: "cpu"
        case .xla(let name, let devices): (["xla", name ?? "", devices.description].filter { !$0.isEmpty }).joined(separator: ":")
        }
    }

    /// Throws where there is no such plugin; opens nothing.
    public func check() throws {
        if case .xla(let name, _) = self { _ = try PluginSearch().plugin(named: name) }
    }

    /// The device, opened; nil for this program's own kernels.
    ///
    /// - Throws: `InputError` where there is no such plugin, or how to get one; `PJRTError` where it has no device.
    public func open() throws -> Accelerator? {
        switch self {
        case .cpu: nil
        case .xla(let name, let devices): try Accelerator(named: name, devices)
        }
    }
}
