import CPJRT

/// One device of a client.
public struct Device: @unchecked Sendable {
    public let id: Int
    /// Such as `cpu` or `NVIDIA H100 80GB HBM3`.
    public let kind: String
    let object: UnsafeMutableRawPointer
    private let plugin: Plugin

    /// Memory of a device in bytes; nil where its plugin does not say.
    public struct Memory: Sendable, Equatable {
        public let inUse: Int
        public let peak: Int?
        public let limit: Int?
    }

    init(_ object: UnsafeMutableRawPointer, _ plugin: Plugin) throws {
        self.object = object
        self.plugin = plugin
        var description = pjrt_object_object()
        description.object = object
        try plugin.call(pjrt_device_get_description, &description)
        var number = pjrt_object_int()
        number.object = UnsafeRawPointer(description.other)
        try plugin.call(pjrt_device_description_id, &number)
        id = Int(number.number)
        kind = try plugin.text(pjrt_device_description_kind, of: description.other)
    }

    /// Nil on platforms that keep no account, as the CPU.
    public func memory() throws -> Memory? {
        var arguments = pjrt_device_memory()
        arguments.device = object
        do {
            try plugin.call(pjrt_device_memory_stats, &arguments)
        } catch let error as PJRTError where error.code == .unimplemented {
            return nil
        }
        return Memory(
            inUse: Int(arguments.in_use), peak: arguments.has_peak ? Int(arguments.peak) : nil,
            limit: arguments.has_limit ? Int(arguments.limit) : nil)
    }
}
