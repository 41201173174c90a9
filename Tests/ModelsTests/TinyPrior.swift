import Models
import NN
import Settings
import TensorCore

/// Small AR models whose weights are large enough for every part to matter: fresh ones have gates near 0.
enum TinyPrior {
    static let image = SequenceLayout(prologueTokens: 0, visualTokens: 9, visualCodes: 13, prologueCodes: 0)
    static let prologue = SequenceLayout(prologueTokens: 4, visualTokens: 9, visualCodes: 13, prologueCodes: 7)

    static func model(_ layout: SequenceLayout, tied: Bool = false, scale: Float = 0.3, precision: Precision = .float32)
        -> ARModel
    {
        var config = ARConfig(
            layout: layout, network: .init(width: 24, layers: 2, heads: 2, axes: [8, 2, 2]), labels: 4)
        config.conditionWidth = 6
        config.tied = tied
        config.precision = precision
        let model = ARModel(config, stream: RandomStream(seed: 1, "model"))
        var stream = RandomStream(seed: 2, "weights")
        for parameter in model.parameters {
            parameter.value.overwrite(with: (0..<parameter.count).map { _ in scale * stream.normal() })
        }
        return model
    }

    /// Logits of the plain forward pass over whole sequences, [B, T, V].
    static func logits(_ model: ARModel, _ ids: TokenTensor, labels: [Int32]) -> Tensor {
        model(ARInput(targets: ids, labels: TokenTensor(labels, shape: [labels.count])), on: nil)
    }
}

extension SamplerSettings {
    /// Settings that give this guidance.
    mutating func guide(_ wanted: Guidance) {
        func segment(_ curve: Guidance.Curve) -> SplitGuidanceSettings {
            var segment = SplitGuidanceSettings()
            (segment.schedule, segment.scale, segment.power) = (curve.schedule, curve.scale, curve.power)
            segment.start = curve.start
            return segment
        }
        switch wanted {
        case .off: break
        case .overall(let scale, let schedule, let power):
            (guidance.scale, guidance.schedule, guidance.power) = (scale, schedule, power)
        case .split(let prologue, let visual):
            (prologueGuidance, visualGuidance) = (segment(prologue), segment(visual))
        }
    }
}

func adversarySettings(
    weight: Double, _ loss: AdversarySettings.Loss, lecam: Double, startStep: Int
) -> AdversarySettings {
    var settings = AdversarySettings()
    (settings.weight, settings.loss, settings.lecam, settings.startStep) = (weight, loss, lecam, startStep)
    return settings
}
