import CKernels

/// What numbers the matrix products of transformer layers multiply. Sums, parameters, gradients and optimiser state are
/// float32 either way.
public enum Precision: String, CaseIterable, Codable, Sendable {
    case float32
    /// Weights and activations rounded to 8 bits of precision where they enter a product or wait for the gradient.
    case bfloat16

    /// Whether this processor multiplies bfloat16 itself; elsewhere float32 arithmetic does the same more slowly.
    public static var hasInstructions: Bool { bf16_has_instructions() != 0 }

    /// Turns the processor's own products off, so that tests can compare the two ways.
    package static func useInstructions(_ wanted: Bool) { bf16_use_instructions(wanted ? 1 : 0) }
}
