import Settings
import TensorCore

/// Losses of a discriminator's logits, D real, D̂ rebuilt.
extension AdversarySettings.Loss {
    /// What the discriminator minimises.
    public func discriminator(real: Tensor, rebuilt: Tensor) -> Tensor {
        switch self {
        case .vanilla, .nonSaturating: return 0.5 * (mean(softplus(-1 * real)) + mean(softplus(rebuilt)))
        case .hinge:
            func ones(_ x: Tensor) -> Tensor { Tensor(repeating: 1, shape: x.shape) }
            return 0.5 * (mean(relu(ones(real) - real)) + mean(relu(ones(rebuilt) + rebuilt)))
        }
    }

    /// What the tokenizer minimises.
    public func generator(rebuilt: Tensor) -> Tensor {
        switch self {
        case .vanilla, .hinge: return -1 * mean(rebuilt)
        case .nonSaturating: return mean(softplus(-1 * rebuilt))
        }
    }
}

/// The penalty R1 (Mescheder et al. 2018): ½·mean over real images of ‖∂(sum of all logits)/∂image‖², logits on the batch's own
/// moments. The published factor is not recorded beside its weight; this is that of the article.
///
/// - Returns: on `tape`, a scalar whose gradient is the penalty's, exactly, and whose value is twice it: the derivative of the logits
///   along the fixed gradient.
func gradientPenalty(_ discriminator: PatchDiscriminator, real: Tensor, on tape: Tape) -> Tensor {
    let own = Tape()
    let images = own.variable(real.detached())
    let logits = discriminator(images, .batch)
    own.backward(from: Float(logits.count) * mean(logits))
    let gradient = own.gradient(of: images) ?? .zeros(real.shape)
    let slopes = discriminator.tangent(real.detached(), along: gradient, on: tape)
    return Float(slopes.count) / Float(real.shape[0]) * mean(slopes)
}

/// LeCam regularisation (Tseng et al. 2021), with the averages of logits that it holds the discriminator to:
/// mean max(0, D − ā̂)² + mean max(0, ā − D̂)², where ā and ā̂ average mean D and mean D̂ over steps.
public struct LeCamRegularization {
    /// Share of an average that a step keeps.
    public static let decay: Float = 0.999
    /// [2]: average logit of real images, and of rebuilt ones.
    public let averages: Parameter

    public init(averages: Tensor = .zeros([2])) { self.averages = Parameter(name: "lecam", value: averages) }

    /// The penalty, by the averages of the steps before.
    public func callAsFunction(real: Tensor, rebuilt: Tensor) -> Tensor {
        func squares(_ x: Tensor) -> Tensor { meanSquaredDifference(relu(x), .zeros(x.shape)) }
        /// One of the averages beside each logit.
        func average(_ place: Int32, beside x: Tensor) -> Tensor {
            let places = TokenTensor(repeating: place, shape: Array(x.shape.dropLast()))
            return embedding(places, table: averages.value.reshaped([2, 1]))
        }
        return squares(real - average(1, beside: real)) + squares(average(0, beside: rebuilt) - rebuilt)
    }

    /// Takes this step's logits into the averages.
    public func observe(real: Tensor, rebuilt: Tensor) {
        averages.moveAverage(towards: concatChannels([real, rebuilt].map { mean($0.detached()).meanOverReplicas }), rate: 1 - Self.decay)
    }
}
