import Files
import Foundation
import RunStore
import Settings

extension ExperimentContext {
    /// The run whose id is `given`, or begins with it where only one does.
    public func run(_ given: String) throws -> RunRecord { try store.run(store.runID(matching: given)) }

    /// The stages of a recorded run, from the settings recorded with it.
    public func plan(of run: RunRecord) throws -> RunPlan {
        try RunPlan(RunSettings(run.config, from: "run \(run.id)"), self)
    }
}
