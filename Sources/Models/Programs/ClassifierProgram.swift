import NN
import Settings
import TensorCore

/// The small classifier of a feature space as programs; its parameters are `classifier/value/…`.
public enum ClassifierProgram {
    /// What its outputs are compared with.
    public enum Targets: Sendable {
        /// `labels` [batch], by cross-entropy.
        case classes
        /// `factors` [batch, outputs], by their mean squared difference.
        case factors
    }

    /// A training step. Inputs: `images` [rows, H, W, C] and the targets of a device's share of the batch, `classifier/numbers` (`AdamW.numbers`), and the state under the
    /// names of `AdamW.state` after `classifier/`. Outputs: `loss` [1], `logits` [rows, outputs], and the state.
    public static func step(
        _ sizes: ImageClassifier.Sizes, _ optimizer: OptimizerSettings, batch: Int, targets: Targets, replicas: Replicas = .one
    ) -> TracedProgram {
        let (program, rows) = (Program("classifier_step", replicas: replicas), batch / replicas.count)
        require(batch % replicas.count == 0, "a batch of \(batch) on \(replicas.count) devices")
        let model = ImageClassifier(sizes, parameters: .program(program, prefix: prefix))
        let tape = Tape(differentiating: model.parameters)
        let logits = model.logits(model.features(tape.constant(images(sizes, rows, in: program))))
        let loss =
            switch targets {
            case .classes: mean(crossEntropy(logits, targets: program.tokens("labels", [rows])))
            case .factors: meanSquaredDifference(logits, program.input("factors", [rows, sizes.outputs]))
            }
        tape.backward(from: loss)
        _ = AdamW.trace(model.parameters, optimizer, tape, in: program, name: "classifier")
        program.output("loss", program.meanOverReplicas(loss.detached()))
        program.output("logits", logits.detached())
        return program.traced()
    }

    /// `images` [batch, H, W, C] → `pooled`, `spatial` and `logits`, a row an image.
    public static func features(_ sizes: ImageClassifier.Sizes, batch: Int) -> TracedProgram {
        let program = Program("classifier_features")
        let model = ImageClassifier(sizes, parameters: .program(program, prefix: prefix))
        let maps = model.maps(images(sizes, batch, in: program))
        let features = model.features(ofMaps: maps)
        program.output("pooled", features)
        program.output("spatial", ImageClassifier.spatialFeatures(ofMaps: maps))
        program.output("logits", model.logits(features))
        return program.traced()
    }

    private static func images(_ sizes: ImageClassifier.Sizes, _ batch: Int, in program: Program) -> Tensor {
        program.input("images", [batch, sizes.imageSize, sizes.imageSize, sizes.channels])
    }

    /// Of the names of parameters.
    public static let prefix = "classifier/value/"
}
