import CPJRT
import Files

/// Devices that are not there: programs can be compiled for them, and looked at, but not run.
public final class Topology {
    private let plugin: Plugin
    private let object: UnsafeMutableRawPointer

    /// - Parameters:
    ///   - target: a description of the device, as XLA writes it for the platform.
    ///   - layout: numbers of slices, hosts and devices, such as `1x1x2` for two devices of one host.
    public init(_ plugin: Plugin, target: String, layout: String = "1x1x1") throws {
        self.plugin = plugin
        var arguments = pjrt_topology_creation()
        try NamedValues(["target_config": .text(target), "topology": .text(layout)]).withValues { values in
            arguments.options = values.baseAddress
            arguments.option_count = values.count
            try plugin.call(pjrt_topology_create, &arguments)
        }
        guard let object = arguments.topology else { throw InputError(file: plugin.path, "described no devices") }
        self.object = object
    }

    deinit {
        var arguments = pjrt_object()
        arguments.object = object
        plugin.callIgnoringErrors(pjrt_topology_destroy, &arguments)
    }

    public func compile(_ program: String, _ options: CompileOptions = CompileOptions()) throws -> Executable {
        var arguments = pjrt_compilation()
        arguments.topology = object
        try withProgram(program, options) { program, options in
            arguments.program = program
            arguments.options = options.baseAddress
            arguments.options_size = options.count
            try plugin.call(pjrt_compile, &arguments)
        }
        guard let executable = arguments.executable else { throw InputError(file: plugin.path, "compiled nothing") }
        return Executable(executable, plugin)
    }
}
