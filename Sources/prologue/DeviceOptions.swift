import Accelerators
import ArgumentParser
import Files

/// Where models run.
struct DeviceOptions: ParsableArguments {
    @Option(
        name: .customLong("device"),
        help: ArgumentHelp(
            "Where models run: cpu (this program's own kernels), xla (the first PJRT plugin of this machine), or xla:NAME (prologue doctor lists them); behind these devices that share each training batch: xla:all, xla:NAME:0-3; xla:all:sharded has each keep a part of moments and averages only. Several workers have equally many of the devices.",
            valueName: "device"))
    var name = "cpu"

    func validate() throws {
        do { _ = try choice } catch let error as InputError { throw ValidationError(error.message) }
    }

    var choice: DeviceChoice { get throws { try DeviceChoice(name) } }
}
