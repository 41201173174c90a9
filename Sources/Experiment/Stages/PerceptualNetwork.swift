import Files
import Foundation
import Models
import Settings

/// The networks that a perceptual loss compares images with.
enum PerceptualNetwork {
    /// A classifier of the data set, trained by a stage of its own.
    case classifier(FeatureStage)
    /// LPIPS on VGG-16, the logits of a ConvNeXt-S, or both, whose weights are the user's.
    case released(lpips: Weights?, convnext: Weights?)

    struct Weights {
        let url: URL
        let digest: String

        /// The file that setting `key` names.
        /// - Throws: `InputError` if it cannot be read.
        init(_ path: String?, key: String, _ assumptions: Assumptions?) throws {
            guard let path else { throw InputError("tokenizer.perceptual.network needs \(key)") }
            url = URL(fileURLWithPath: path)
            if let assumptions, assumptions.misses(path, as: key) {
                digest = "expected"
                return
            }
            do { digest = sha256(try Data(contentsOf: url, options: .alwaysMapped)) } catch {
                throw InputError(file: path, "cannot be read as \(key): \(systemReason(for: error))")
            }
        }
    }

    /// - Throws: `InputError` if a file of weights cannot be read.
    init?(_ settings: RunSettings, dataset: Dataset, _ context: ExperimentContext) throws {
        let perceptual = settings.tokenizer.perceptual
        guard perceptual.weight > 0 else { return nil }
        func weights(_ path: String?, _ key: String) throws -> Weights {
            try Weights(path, key: "tokenizer.perceptual.\(key)", context.assumptions)
        }
        if perceptual.network == .classifier {
            var features = settings.features
            features.seed = perceptual.seed
            features.network = .classifier
            self = .classifier(try FeatureStage(settings: features, dataset: dataset, role: "perceptual-features", context))
        } else {
            self = .released(
                lpips: perceptual.network.usesLPIPS ? try weights(perceptual.weights, "weights") : nil,
                convnext: perceptual.network.usesConvNeXt ? try weights(perceptual.convnextWeights, "convnext_weights") : nil)
        }
    }

    func loss(_ context: ExperimentContext) throws -> PerceptualLoss {
        switch self {
        case .classifier(let stage): return PerceptualLoss(try stage.classifier(context))
        case .released(let lpips, let convnext):
            let ofLayers = try lpips.map { PerceptualLoss(try LPIPS(weights: SafetensorsFile(reading: $0.url))) }
            let ofLogits = try convnext.map { PerceptualLoss(try ConvNeXt(weights: SafetensorsFile(reading: $0.url))) }
            let share = ofLayers == nil ? 1 : Float(PerceptualSettings.convnextShare)
            return PerceptualLoss([(ofLayers, 1), (ofLogits, share)].compactMap { loss, weight in loss.map { ($0, weight) } })
        }
    }
}
