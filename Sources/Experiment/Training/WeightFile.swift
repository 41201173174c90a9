/// Where a training stage leaves its weights.
enum WeightFile {
    static let trained = "model.safetensors"
    static let averaged = "model_ema.safetensors"
    /// Averaged weights as they were after so many steps.
    static func snapshot(_ step: Int) -> String { "snapshot-\(step).safetensors" }
}
