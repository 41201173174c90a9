/// Which checkpoints a training stage keeps. While it trains there is one, which it goes on from when it is interrupted.
public enum KeptCheckpoints: String, ChoiceSetting {
    /// It is removed once the stage is done; the weights stay.
    case none
    /// That of the last step stays, with the optimisers' moments.
    case last
    /// Each stays, as `checkpoints/step-00000200.h5`.
    case all

    static let help =
        "Checkpoints that stay once the stage is done: none; last, the one of the last step; all, each in `checkpoints/`."
}
