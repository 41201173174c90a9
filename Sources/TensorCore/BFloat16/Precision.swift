/// What numbers the matrix products of transformer layers multiply. Sums, parameters, gradients and optimiser state are
/// float32 either way.
public enum Precision: String, CaseIterable, Codable, Sendable {
    case float32
    /// Weights and activations rounded to 8 bits of precision where they enter a product or wait for the gradient.
    case bfloat16
}
