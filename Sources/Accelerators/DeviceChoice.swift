import Files
import PJRT

/// Where models run, as `--device` says.
public enum DeviceChoice: Equatable, Sendable, CustomStringConvertible {
    /// On this program's own kernels.
    case cpu
    /// On devices of a PJRT plugin: the one of that name, or the most wanted one of this machine; `shardsState`: each device keeps a
    /// part of what optimisers hold.
    case xla(plugin: String?, devices: DeviceNumbers = .first, shardsState: Bool = false)

    private static let sharded = "sharded"

    /// `cpu`, `xla` or `xla:NAME`, the latter two also with devices behind them: `xla:all`, `xla:cuda:0-3`, `xla:all:sharded`.
    public init(_ text: String) throws {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if parts == ["cpu"] {
            self = .cpu
            return
        }
        guard parts.removeFirst() == "xla" else { throw Self.mistake(text) }
        let shardsState = parts.last == Self.sharded
        if shardsState { parts.removeLast() }
        let devices = try parts.last.flatMap { try DeviceNumbers($0) }
        if devices != nil { parts.removeLast() }
        // State is shared out among devices that are named.
        guard parts.count <= 1, parts.first != "", try parts.first.map({ try DeviceNumbers($0) == nil }) ?? true,
            devices != nil || !shardsState
        else { throw Self.mistake(text) }
        self = .xla(plugin: parts.first, devices: devices ?? .first, shardsState: shardsState)
    }

    private static func mistake(_ text: String) -> InputError {
        let hint = nearest(to: text, among: ["cpu", "xla"]).map { "; did you mean '\($0)'?" } ?? ""
        return InputError(
            "device '\(text)' is none of cpu, xla, xla:NAME with the name of a plugin (prologue doctor lists them), "
                + "xla:all, xla:0-3, xla:NAME:0-3 with numbers of devices, xla:all:sharded\(hint)")
    }

    /// As `--device` has it.
    public var description: String {
        switch self {
        case .cpu: "cpu"
        case .xla(let name, let devices, let shardsState):
            ["xla", name ?? "", devices.description, shardsState ? Self.sharded : ""].filter { !$0.isEmpty }.joined(separator: ":")
        }
    }

    /// Throws where there is no such plugin; opens nothing.
    public func check() throws {
        if case .xla(let name, _, _) = self { _ = try PluginSearch().plugin(named: name) }
    }

    /// The device, opened; nil for this program's own kernels.
    ///
    /// - Parameter memory: as `DeviceShare.memory`.
    /// - Throws: `InputError` where there is no such plugin, or how to get one; `PJRTError` where it has no device.
    public func open(memory: Double? = nil) throws -> Accelerator? {
        switch self {
        case .cpu: nil
        case .xla(let name, let devices, let shardsState):
            try Accelerator(named: name, devices, shardsState: shardsState, memory: memory)
        }
    }
}
