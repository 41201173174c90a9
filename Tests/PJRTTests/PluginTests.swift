import Files
import Foundation
import PJRT
import StableHLO
import TestSupport
import Testing

@Suite(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
struct PluginTests {
    /// y = x · w, and the program that takes it from there.
    private func doubling(donating: Bool = false) -> String {
        let main = Function("main")
        let x = main.argument([3], .f32, donatedTo: donating ? 0 : nil)
        main.return([main.multiply(x, 2)])
        return Module("doubling", [main]).text
    }

    @Test func aClientHasAsManyDevicesAsAsked() throws {
        let client = try testClient(devices: 3)
        #expect(client.platform == "cpu")
        #expect(client.devices.count == 3)
        #expect(try !client.plugin.attributes().isEmpty)
        #expect(throws: InputError.self) { try client.device(3) }
    }

    @Test func aDonatedArgumentIsGone() throws {
        let client = try testClient()
        for donating in [true, false] {
            let x = try Buffer.of([1, 2, 3] as [Float], .float32, shape: [3], on: client.device(0), of: client)
            let y = try client.compile(doubling(donating: donating)).run([x])[0]
            #expect(try y.numbers(as: Float.self) == [2, 4, 6])
            #expect(try x.isDeleted() == donating)
        }
    }

    @Test func anExecutableCanBeKept() throws {
        let client = try testClient()
        let program = try client.compile(doubling())
        let loaded = try client.load(try program.executable.serialized())
        let x = try Buffer.of([1, 2, 3] as [Float], .float32, shape: [3], on: client.device(0), of: client)
        #expect(try loaded.run([x])[0].numbers(as: Float.self) == [2, 4, 6])
        #expect(try program.executable.memory().arguments == 12)
    }

    @Test(arguments: [1, 2, 4]) func replicasAddUp(replicas: Int) throws {
        let main = Function("main")
        let x = main.argument([2], .f32)
        main.return([main.allReduce(x, replicas: replicas)])
        let client = try testClient()
        let program = try client.compile(Module("sum", [main], replicas: replicas).text, CompileOptions(replicas: replicas))
        let inputs = try (0..<replicas).map {
            [try Buffer.of([Float($0 + 1), 10] as [Float], .float32, shape: [2], on: client.device($0), of: client)]
        }
        let sum = Float(replicas * (replicas + 1) / 2)
        for output in try program.run(replicas: inputs) {
            #expect(try output[0].numbers(as: Float.self) == [sum, Float(10 * replicas)])
        }
    }

    @Test func whatAPluginRefusesIsSaidInItsWords() throws {
        let client = try testClient()
        let error = #expect(throws: PJRTError.self) { try client.compile("module @m { nonsense }") }
        #expect(error?.message.isEmpty == false)
        #expect(throws: PJRTError.self) { try Client(client.plugin, options: ["cpu_device_count": .text("many")]) }
    }
}

@Suite struct PluginSearchTests {
    @Test func whatIsNoPluginIsRefused() throws {
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("plugin.so")
            #expect(throws: InputError.self) { try Plugin(path: file.path) }
            try Data("not a library".utf8).write(to: file)
            let error = #expect(throws: InputError.self) { try Plugin(path: file.path) }
            #expect(error?.description.contains("cannot be loaded as a PJRT plugin") == true)
            // A library, but another one.
            let libraries = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/lib64/libm.so.6"]
            let library = try #require(libraries.first(where: FileManager.default.fileExists(atPath:)))
            let other = #expect(throws: InputError.self) { try Plugin(path: library) }
            #expect(other?.description.contains("GetPjrtApi") == true)
        }
    }

    @Test func pluginsAreFoundWhereTheyUsuallyAre() throws {
        try withTemporaryFolder { folder in
            func make(_ path: String) throws {
                let file = folder.appendingPathComponent(path)
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data().write(to: file)
            }
            try make("venv/lib/python3.11/site-packages/lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so")
            try make("venv/lib/python3.11/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
            try make("system/libtpu/libtpu.so")
            try make("libraries/my_pjrt_plugin.so")
            try make("mine.so")
            let environment = [
                "VIRTUAL_ENV": "\(folder.path)/venv", "LD_LIBRARY_PATH": "/nowhere:\(folder.path)/libraries",
                "PROLOGUE_PJRT_PLUGIN": "\(folder.path)/mine.so",
            ]
            let search = PluginSearch(environment: environment) { ["\(folder.path)/system"] }
            #expect(search.plugins().map(\.name) == ["mine", "cuda", "tpu", "cpu", "my_pjrt_plugin"])
            #expect(try search.plugin().name == "mine")
            #expect(try search.plugin(named: "cuda").path.hasSuffix("xla_cuda13/xla_cuda_plugin.so"))
            let error = #expect(throws: InputError.self) { try search.plugin(named: "cudda") }
            #expect(error?.description.contains("did you mean xla:cuda?") == true)
        }
    }

    @Test func withoutPluginsTheWayToOneIsSaid() {
        let search = PluginSearch(environment: [:]) { [] }
        #expect(search.plugins().isEmpty)
        let error = #expect(throws: InputError.self) { try search.plugin() }
        #expect(error?.description.contains("PROLOGUE_PJRT_PLUGIN") == true)
    }
}
