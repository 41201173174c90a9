import Accelerators
import Models
import NN
import PJRT
import TensorCore

/// A classifier's training on a device.
struct DeviceClassifier {
    private let training: DeviceTraining

    /// - Parameter optimizer: of the model's parameters.
    init(
        _ accelerator: Accelerator, _ model: ImageClassifier, _ optimizer: AdamW, batch: Int, targets: ClassifierProgram.Targets
    ) throws {
        try accelerator.share(of: batch, "features")
        training = try DeviceTraining(
            accelerator, optimizer, named: "classifier",
            ClassifierProgram.step(model.sizes, optimizer.settings, batch: batch, targets: targets, replicas: accelerator.replicas))
    }

    /// One update towards `labels` or `factors`, whichever it learns; loss and logits where they are asked for, which waits for the device.
    func step(
        _ images: Tensor, labels: TokenTensor, factors: Tensor?, rate: Double, reads: Bool
    ) throws -> (loss: Tensor, logits: Tensor)? {
        var inputs = ProgramInputs(training.accelerator)
        try inputs.share("images", images)
        if let factors { try inputs.share("factors", factors) } else { try inputs.share("labels", labels) }
        let values = try training.step(inputs, rate: rate)
        return reads ? (try values[0].tensor("loss"), try values.rows("logits")) : nil
    }

    func bringBack() throws { try training.bringBack() }
}
