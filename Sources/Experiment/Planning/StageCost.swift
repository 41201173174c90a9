import Files
import Models
import Settings

/// What a stage needs of a machine, worked out from its settings without building a model.
public struct StageCost: Equatable, Sendable {
    /// Numbers in the parameters of the networks it works with.
    public var parameters: Int
    /// Tokens that AR models read or draw: sequence length · batch · steps, or · images.
    public var tokens: Int?
    /// FLOPs of its networks (`ModelCost`); data, scores and bookkeeping are not counted.
    public var flops: Double
    /// Bytes held at once: parameters, moments, averages, gradients or activations.
    public var memory: Double
    /// Bytes that it leaves, before compression.
    public var disk: Double
    /// Bytes of files that it needs meanwhile.
    public var scratch: Double = 0

    /// Of a model that is there already.
    static func taken(parameters: Int) -> StageCost {
        StageCost(
            parameters: parameters, tokens: nil, flops: 0, memory: 4 * Double(parameters), disk: 4 * Double(parameters))
    }
}

extension Stage {
    /// The summary with what the work cost, which later estimates scale by, and the device that it ran on.
    func noted(in summary: JSONValue, device: String?) -> JSONValue {
        guard case .object(var members) = summary else { return summary }
        if let cost { members["flops"] = .number(cost.flops) }
        if let device { members["device"] = .string(device) }
        return .object(members)
    }
}

extension TrainingSettings {
    /// Checkpoints that stay.
    var keptCheckpoints: Int {
        switch keepCheckpoints {
        case .none: 0
        case .last: 1
        case .all: (steps + checkpointEvery - 1) / checkpointEvery
        }
    }
}
