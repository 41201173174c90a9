import Accelerators
import Models
import PJRT
import TensorCore

/// A feature network on a device, for batches of one size.
final class DeviceFeatures {
    private let accelerator: Accelerator
    private let parameters: DeviceState
    private let trace: (_ images: [Int]) -> TracedProgram
    /// By the shape of the images.
    private var programs: [[Int]: CompiledProgram] = [:]

    /// - Parameter trace: makes the program that takes `images` of a shape and gives `pooled`, `spatial` and `logits`.
    init(
        _ accelerator: Accelerator, parameters: [(name: String, tensor: Tensor)], _ trace: @escaping (_ images: [Int]) -> TracedProgram
    ) throws {
        (self.accelerator, self.trace) = (accelerator, trace)
        self.parameters = DeviceState(parameters, on: accelerator)
    }

    var deviceName: String { accelerator.description }

    /// Of the first `count` of images [batch, H, W, C].
    func callAsFunction(_ images: Tensor, count: Int) throws -> FeatureBatch {
        let program = try programs[images.shape] ?? accelerator.compile(trace(images.shape))
        programs[images.shape] = program
        let values = try parameters.run(program, ["images": accelerator.copy(images)])
        func rows(_ name: String) throws -> [Float] {
            let tensor = try values.tensor(name)
            return Array(tensor.values.prefix(count * tensor.width))
        }
        return FeatureBatch(count: count, pooled: try rows("pooled"), spatial: try rows("spatial"), logits: try rows("logits"))
    }
}
