extension TokenizerSettings {
    /// Which square of a picture a training step sees.
    public enum Crop: String, ChoiceSetting {
        case centre
        case random
    }

    public enum Variant: String, ChoiceSetting {
        case baseline1D = "baseline-1d"
        case baseline2D = "baseline-2d"
        case coupled1D = "coupled-1d"
        case coupled2D = "coupled-2d"
        case prologue
        case prologuePost = "prologue-post"
        case prologueOneStage = "prologue-onestage"

        /// What each variant is, a row each.
        private var traits: Traits {
            switch self {
            case .baseline1D: Traits(isLatent: true)
            case .baseline2D: Traits()
            case .coupled1D: Traits(isLatent: true, joint: .beside, isCoupled: true)
            case .coupled2D: Traits(joint: .beside, isCoupled: true)
            case .prologue: Traits(hasPrologue: true, joint: .beside)
            case .prologuePost: Traits(hasPrologue: true, joint: .beside, isFrozen: true)
            case .prologueOneStage: Traits(hasPrologue: true, joint: .prior)
            }
        }

        private struct Traits {
            var isLatent = false
            var hasPrologue = false
            var joint = JointModel.none
            var isCoupled = false
            var isFrozen = false
        }

        /// The AR model that is trained with the tokenizer.
        public enum JointModel: Sendable {
            case none
            /// A small one, which is left behind.
            case beside
            /// The prior itself.
            case prior
        }

        /// Whether the visual tokens are learned queries rather than patches.
        public var isLatent: Bool { traits.isLatent }
        /// Whether there are prologue tokens.
        public var hasPrologue: Bool { traits.hasPrologue }
        public var joint: JointModel { traits.joint }
        /// Whether an AR model's cross-entropy reaches the visual tokens themselves.
        public var isCoupled: Bool { traits.isCoupled }
        /// Whether the visual tokens are those of a baseline, trained before and frozen.
        public var isFrozen: Bool { traits.isFrozen }
    }

    /// How tokens are chosen among codes; docs/ablations.md has the formulas.
    public enum Quantizer: String, ChoiceSetting {
        case vq, probq, lfq, fsq, gumbel

        /// Whether the codes are parameters, rather than signs or grid points.
        public var isLearned: Bool { self == .vq || self == .probq || self == .gumbel }
        /// Whether the quantizer has a loss of its own.
        public var hasLoss: Bool { self == .vq || self == .lfq }
    }

    /// Where prologue tokens come from.
    public enum PrologueEncoder: String, ChoiceSetting {
        case shared, separate
    }
}
