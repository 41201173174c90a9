import Files
import Foundation
import RunStore

/// One step of a run, kept in a folder of its own under a hash of exactly what it reads.
protocol Stage {
    /// What it is to the run: `tokenizer`, `samples.nocfg`, …
    var role: String { get }
    var identity: StageIdentity { get }
    /// What it needs of a machine, as far as that follows from its settings; nil: it is not worked out.
    var cost: StageCost? { get }
    /// The picture it leaves for people: its file, and what is to be seen on it.
    var picture: (file: String, description: String)? { get }
    /// Does the work in the claimed folder; returns the summary for `stage.json`.
    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue
}

extension Stage {
    var id: String { identity.id }
    var cost: StageCost? { nil }
    var picture: (file: String, description: String)? { nil }
}
