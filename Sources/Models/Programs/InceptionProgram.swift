import TensorCore

extension InceptionV3 {
    /// Features of a batch as a program: levels `images` [`batch`, height, width, 3] of 0…255 → `pooled`, `spatial` and `logits`, a row an image.
    /// Its weights are inputs under the names of `tensors`.
    public func traced(height: Int, width: Int) -> TracedProgram {
        let program = Program("inception_features")
        let network = InceptionV3(like: self) { program.input($0, $1.shape) }
        let features = network.features(program.input("images", [Self.batch, height, width, 3]))
        program.output("pooled", features.pool)
        program.output("spatial", features.spatial)
        program.output("logits", features.logits)
        return program.traced()
    }
}
