import Foundation
import PJRT

/// The CPU plugin among the packages that tests are installed with, if it is there.
public let testPlugin: String? = {
    let script = "import importlib.util as u; s = u.find_spec('lammps_jax_pjrt_cpu'); print(s.submodule_search_locations[0] if s else '')"
    // Programs of tests are small: what they take is their compilation. The plugin reads this when it is loaded.
    setenv("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true", 0)
    guard let folder = try? python(script), !folder.isEmpty else { return nil }
    return "\(folder)/pjrt_c_api_cpu_plugin.so"
}()

/// Whether tests on devices try every case instead of the most telling ones (`make test-device`): their programs take long to compile.
public let triesEveryCaseOnDevices = ProcessInfo.processInfo.environment["PROLOGUE_TEST_EVERY_CASE"] != nil

/// A client of the CPU plugin with four devices.
public func testClient(devices: Int = 4) throws -> Client {
    try Client(Plugin(path: testPlugin ?? "the CPU plugin is not installed"), options: ["cpu_device_count": .number(devices)])
}
