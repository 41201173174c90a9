import Evaluation
import Files
import ImageData
import RunStore

/// A feature space that samples are scored in, with the stages that say what they are compared with: held-out images, or the images of a
/// file; and reconstructions, where there are images to reconstruct.
struct ScoringSpace {
    let features: FeatureStage
    /// Nil where there are no held-out images.
    let reconstructions: ReconstructionStage?
    /// Nil: the held-out images are the reference.
    let reference: ReferenceStage?

    var name: String { features.spaceName }

    /// Stages to make before anything is scored here.
    var stages: [any Stage] {
        [features as any Stage] + (reconstructions.map { [$0 as any Stage] } ?? []) + (reference.map { [$0 as any Stage] } ?? [])
    }

    /// What a stage that scores here reads, by the names of its inputs.
    func inputs(suffix: String = "") -> [String: String] {
        var inputs = ["features\(suffix)": features.id]
        inputs["reconstructions\(suffix)"] = reconstructions?.id
        inputs["reference\(suffix)"] = reference?.id
        return inputs
    }

    func load(_ context: ExperimentContext) throws -> ScoreReference {
        let others = try reconstructions?.reference(context)
        if let images = try reference?.load(context) { return ScoreReference(images: images, reconstructions: others?.reconstructions) }
        guard let others else { throw InputError("there is nothing to compare samples with: neither held-out images nor scores.reference") }
        return others
    }

    /// The classes of the images compared with; nil: they have none.
    var classes: [Int]? {
        get throws { try reference == nil ? reconstructions?.references.labels.map(Int.init) : nil }
    }

    /// The held-out images; nil where others are compared with.
    var heldOut: ImageSet? { get throws { try reference == nil ? reconstructions?.references : nil } }

    /// Of the images compared with.
    var referenceDigest: String { get throws { try reference?.digest ?? reconstructions?.references.fingerprint ?? "" } }

    /// What a score's protocol says of all this.
    func protocolMembers(_ loaded: ScoreReference) throws -> [String: JSONValue] {
        var members: [String: JSONValue] = ["features": .string(features.id)]
        members["reference"] = .string(try referenceDigest)
        if let count = loaded.images.features?.rows { members["reference_count"] = .int(count) }
        return members
    }
}
