import Accelerators
import Files
import Models
import NN
import PJRT
import TensorCore

/// A prior's training on a device.
struct DevicePrior {
    private let training: DeviceTraining

    /// - Parameter optimizer: of the model's parameters.
    init(
        _ accelerator: Accelerator, _ config: ARConfig, _ optimizer: AdamW, batch: Int, microBatch: Int?, dropout: (Float, attention: Float)
    ) throws {
        try accelerator.share(of: batch, microBatch: microBatch, "prior")
        training = try DeviceTraining(
            accelerator, optimizer, named: "prior",
            PriorProgram.step(
                config, optimizer.settings, averageHalfLife: optimizer.averageHalfLife, batch: batch, microBatch: microBatch,
                dropout: dropout, replicas: accelerator.replicas))
    }

    /// One update; loss and gradient norm where they are asked for, which waits for the device.
    func step(
        targets: TokenTensor, labels: TokenTensor, masks stream: RandomStream, rate: Double, reads: Bool
    ) throws -> (loss: Float, gradientNorm: Float)? {
        var inputs = ProgramInputs(training.accelerator)
        try inputs.share("targets", targets)
        try inputs.share("labels", labels)
        try inputs.repeat("dropout", stream)
        let values = try training.step(inputs, rate: rate)[0]
        return reads ? (try values.tensor("loss").scalar, try values.tensor("gradient_norm").scalar) : nil
    }

    func bringBack() throws { try training.bringBack() }
}
