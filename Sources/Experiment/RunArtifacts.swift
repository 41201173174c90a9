import Files
import RunStore

extension RunPlan {
    /// The pictures of those stages that are complete, by paths relative to the store.
    func pictures(in store: Store) -> [Artifact] {
        stages.compactMap { stage in
            guard let (file, description) = stage.picture, store.stage(stage.identity).isComplete else { return nil }
            return Artifact(kind: "picture", path: "stages/\(stage.id)/\(file)", description: description)
        }
    }
}

extension Stage {
    /// The picture it leaves for people, and what is to be seen on it.
    fileprivate var picture: (file: String, description: String)? {
        switch self {
        case is ReconstructionStage:
            (ReconstructionStage.pictureFile, "held-out images, each above its reconstruction")
        case let samples as SampleStage:
            (SampleStage.pictureFile, "samples under '\(samples.name)'")
        case is ResampleStage:
            (ResampleStage.pictureFile, "each row keeps the first tokens of one image and draws the rest anew")
        case is CompletionStage:
            (CompletionStage.pictureFile, "below each image, what the prior makes of some of its tokens, not knowing the class")
        case is AttentionStage:
            (AttentionStage.pictureFile, "how much each visual position attends to each of the first tokens, by layer and head")
        default: nil
        }
    }
}
