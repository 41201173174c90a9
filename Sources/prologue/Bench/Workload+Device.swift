import Accelerators
import Models
import NN
import Settings
import TensorCore

extension Workload {
    /// The same repetition on a device, where the state stays between repetitions; the program is compiled here, and a repetition
    /// ends when the device has done it.
    func repetition(_ precision: Precision, on accelerator: Accelerator) throws -> () throws -> Void {
        switch self {
        case .arStep, .baseArStep: try arStep(arTraining(precision), precision, on: accelerator)
        case .tokenizerStep: try tokenizerStep(tokenizerUpdate(precision), on: accelerator)
        case .sampling: try sampling(arModel(precision), on: accelerator)
        }
    }

    private func arStep(
        _ training: (model: ARModel, optimizer: AdamW), _ precision: Precision, on accelerator: Accelerator
    ) throws -> () throws -> Void {
        let optimizer = training.optimizer
        let program = try accelerator.compile(
            PriorProgram.step(
                training.model.config, optimizer.settings, averageHalfLife: optimizer.averageHalfLife, batch: images,
                dropout: (0, attention: 0)))
        let state = DeviceState(optimizer.state.map { ("prior/\($0.name)", $0.tensor) }, on: accelerator)
        let (targets, labels) = (arInput.targets, arInput.labels)
        return {
            let inputs = [
                "targets": try accelerator.copy(targets), "labels": try accelerator.copy(labels),
                "prior/numbers": try accelerator.copy(optimizer.numbers(rate: 1e-4)),
            ]
            _ = try state.run(program, inputs).tensor("loss")
        }
    }

    private func tokenizerStep(_ update: TokenizerUpdate, on accelerator: Accelerator) throws -> () throws -> Void {
        var given = TokenizerUpdate.TracedInputs()
        let batch = tokenizerBatch
        (given.labels, given.visualDropped, given.prologueNoise) = (true, batch.dropped != nil, true)
        let program = try accelerator.compile(update.traced(batch: images, given: given))
        let tensors =
            update.autoencoder.state.map { ("autoencoder/\($0.name)", $0.tensor) }
            + (update.joint?.optimizer.state.map { ("joint/\($0.name)", $0.tensor) } ?? [])
        let state = DeviceState(tensors, on: accelerator)
        return {
            var inputs = [
                "patches": try accelerator.copy(batch.patches), "labels": try accelerator.copy(batch.labels),
                "prologue_noise": try accelerator.copy(RandomStream(seed: 0, "bench/noise")),
                "autoencoder/numbers": try accelerator.copy(update.autoencoder.numbers(rate: 1e-4)),
            ]
            if let dropped = batch.dropped { inputs["visual_dropped"] = try accelerator.copy(dropped) }
            if let joint = update.joint { inputs["joint/numbers"] = try accelerator.copy(joint.optimizer.numbers(rate: 1e-4)) }
            _ = try state.run(program, inputs).tensor("loss")
        }
    }

    private func sampling(_ model: ARModel, on accelerator: Accelerator) throws -> () throws -> Void {
        let sampling = SamplingProgram(model.config, Self.sampler, count: images)
        let program = try accelerator.compile(sampling.traced)
        let state = DeviceState(model.parameters.map { ("prior/value/\($0.name)", $0.value) }, on: accelerator)
        let labels = arInput.labels
        return {
            _ = try state.run(program, ["labels": accelerator.copy(labels), "scales": accelerator.copy(sampling.scales)]).tokens("ids")
        }
    }
}
