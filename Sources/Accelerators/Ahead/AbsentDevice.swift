import Files
import Foundation
import PJRT
import TensorCore

/// A device that need not be there for programs to be compiled for it.
public enum AbsentDevice: String, CaseIterable, Sendable {
    /// NVIDIA H100, 80 GB, SXM.
    case h100

    /// The plugin that knows it.
    public var plugin: String { "cuda" }
    /// Bytes of its memory.
    public var memory: Int { 84_929_347_584 }

    /// A message `GpuTargetConfigProto` of XLA, as text: the data sheet's numbers.
    var description: String {
        """
        gpu_device_info {
          threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: 233472
          threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
          block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
          memory_bandwidth: 3352320000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98 device_memory_size: \(memory)
          shared_memory_per_block_optin: 232448 cuda_compute_capability { major: 9 }
          registers_per_core_limit: 65536 registers_per_block_limit: 65536
        }
        platform_name: "CUDA"
        dnn_version_info { major: 9 minor: 13 }
        runtime_version { major: 13 minor: 0 patch: 0 }
        device_description_str: "NVIDIA H100 80GB HBM3"
        """
    }
}

/// Compiles programs for devices that are not there, and looks at what comes out.
public final class AheadCompiler {
    private let device: AbsentDevice
    private let plugin: Plugin
    private let options: [String: Client.Option]

    /// - Parameters:
    ///   - path: of the plugin; nil: the one of this machine that knows the device.
    ///   - toolkit: folder of the vendor's compilers that the plugin calls; nil: the one among the plugin's Python packages.
    public init(_ device: AbsentDevice, plugin path: String?, toolkit: String? = nil) throws {
        self.device = device
        let path = try path ?? PluginSearch().plugin(named: device.plugin).path
        plugin = try Plugin(path: path)
        // …/jax_plugins/xla_cuda13/plugin.so → …/nvidia/cu13
        let packages = URL(fileURLWithPath: path).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let toolkit = toolkit ?? packages.appendingPathComponent("nvidia/cu13").path
        options = compilerOptions(for: device.plugin).merging([
            "xla_gpu_cuda_data_dir": .text(toolkit),
            // Without a card kernels cannot be timed; the compiler would make them in several ways only to take the first.
            "xla_gpu_autotune_level": .number(0), "xla_gpu_experimental_enable_fusion_autotuner": .flag(false),
        ]) { $1 }
    }

    /// What the compiler made of a program.
    public struct Result: Sendable {
        /// Of compiling.
        public let seconds: Double
        /// Processor time of it, of this process and of the compilers that it starts: what other programs on the machine hardly change.
        public let processorSeconds: Double
        /// Bytes of the executable.
        public let size: Int
        public let memory: Executable.Memory
        public let traffic: ModuleTraffic
    }

    /// - Parameter keep: a folder that the program's text and the compiler's are left in; nil: they are removed.
    public func compile(_ program: TracedProgram, keep: URL? = nil) throws -> Result {
        let folder = keep ?? FileManager.default.temporaryDirectory.appendingPathComponent("ahead-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { if keep == nil { try? FileManager.default.removeItem(at: folder) } }
        let text = program.texts(for: device.plugin)[0]
        if keep != nil { try AtomicFile.write(Data(text.utf8), to: folder.appendingPathComponent("program.mlir")) }
        let topology = try Topology(plugin, target: device.description, layout: "1x1x\(program.replicas)")
        let options = options.merging(["xla_dump_to": .text(folder.path), "xla_dump_hlo_as_text": .flag(true)]) { $1 }
        let (start, processor) = (ContinuousClock.now, Self.processorSeconds())
        let executable = try topology.compile(text, CompileOptions(replicas: program.replicas, overrides: options))
        let (seconds, processorSeconds) = ((ContinuousClock.now - start) / .seconds(1), Self.processorSeconds() - processor)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        guard let module = names.first(where: { $0.hasSuffix("after_optimizations.txt") }) else {
            throw InputError(file: plugin.path, "left no text of the optimised program '\(program.name)'")
        }
        let optimised = try String(contentsOf: folder.appendingPathComponent(module), encoding: .utf8)
        return Result(
            seconds: seconds, processorSeconds: processorSeconds, size: try executable.serialized().count, memory: try executable.memory(),
            traffic: ModuleTraffic(ofModule: optimised))
    }

    /// Of this process and of those that it has waited for.
    private static func processorSeconds() -> Double {
        [RUSAGE_SELF.rawValue, RUSAGE_CHILDREN.rawValue].reduce(0) { sum, who in
            var usage = rusage()
            getrusage(__rusage_who_t(who), &usage)
            return sum
                + [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
        }
    }
}
