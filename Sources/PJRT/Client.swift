import CPJRT
import Files

/// The devices of one plugin, opened for this process.
public final class Client {
    /// What a client may be told when it is made; which of these a plugin knows is its own affair.
    public enum Option: Sendable, Equatable {
        case text(String)
        case number(Int)
        case numbers([Int])
        case share(Float)
        case flag(Bool)
    }

    public let plugin: Plugin
    /// Such as `cpu` or `cuda`.
    public let platform: String
    /// Of the platform, as its maker counts.
    public let platformVersion: String
    public private(set) var devices: [Device] = []
    let object: UnsafeMutableRawPointer

    /// Opens the plugin's devices.
    ///
    /// - Parameter options: such as `cpu_device_count` for the CPU, `memory_fraction` and `preallocate` for GPUs.
    /// - Throws: `PJRTError` where there is no device or no driver, or an option is unknown.
    public init(_ plugin: Plugin, options: [String: Option] = [:]) throws {
        self.plugin = plugin
        var creation = pjrt_client_creation()
        try NamedValues(options).withValues { values in
            creation.options = values.baseAddress
            creation.option_count = values.count
            try plugin.call(pjrt_client_create, &creation)
        }
        guard let object = creation.client else { throw InputError(file: plugin.path, "made no client, and did not say why") }
        self.object = object
        platform = try plugin.text(pjrt_client_platform_name, of: object)
        platformVersion = try plugin.text(pjrt_client_platform_version, of: object)
        var list = pjrt_object_list()
        list.object = object
        try plugin.call(pjrt_client_addressable_devices, &list)
        devices = try UnsafeBufferPointer(start: list.list, count: list.count).compactMap { $0 }.map {
            try Device($0, plugin)
        }
    }

    deinit {
        var arguments = pjrt_object()
        arguments.object = object
        plugin.callIgnoringErrors(pjrt_client_destroy, &arguments)
    }

    /// The device of a number, counted from 0 among those of this process.
    public func device(_ number: Int) throws -> Device {
        guard devices.indices.contains(number) else {
            throw InputError(
                "there is no device \(number) of platform \(platform); there \(devices.count == 1 ? "is 1, number 0" : "are \(devices.count), from 0 on")"
            )
        }
        return devices[number]
    }

    /// Compiles StableHLO text for the devices of this client.
    ///
    /// - Throws: `PJRTError` with what the compiler has to say.
    public func compile(_ program: String, _ options: CompileOptions = CompileOptions()) throws -> LoadedExecutable {
        var arguments = pjrt_client_compilation()
        arguments.client = object
        try withProgram(program, options) { program, options in
            arguments.program = program
            arguments.options = options.baseAddress
            arguments.options_size = options.count
            try plugin.call(pjrt_client_compile, &arguments)
        }
        return try LoadedExecutable(arguments.executable, self, replicas: options.replicas)
    }

    /// Loads an executable that `LoadedExecutable.serialized()` has written, on an equal plugin and device.
    public func load(_ bytes: [UInt8], replicas: Int = 1) throws -> LoadedExecutable {
        var arguments = pjrt_deserialization()
        arguments.client = object
        try bytes.withUnsafeBytes { bytes in
            arguments.bytes = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            arguments.byte_count = bytes.count
            try plugin.call(pjrt_executable_deserialize_and_load, &arguments)
        }
        return try LoadedExecutable(arguments.executable, self, replicas: replicas)
    }
}

extension Plugin {
    /// A text that an object has.
    func text(_ function: pjrt_function, of object: UnsafeRawPointer) throws -> String {
        var arguments = pjrt_object_text()
        arguments.object = object
        try call(function, &arguments)
        return string(arguments.text, arguments.text_size)
    }
}
