import Files
import Foundation
import RunStore
import Sweep

extension SweepFile {
    /// What the run of a cell is called in the store.
    public func runID(of cell: Cell) -> String {
        RunRecord.makeID(sweep: name, cell: cell.label, seed: cell.seed, identity: cell.identity)
    }
}

extension ExperimentContext {
    /// The run whose id is `given`, or begins with it where only one does.
    public func run(_ given: String) throws -> RunRecord { try store.run(store.runID(matching: given)) }

    /// The stages of a recorded run, from the settings recorded with it.
    public func plan(of run: RunRecord) throws -> RunPlan {
        try RunPlan(run.config.decode(as: RunSettings.self), self)
    }
}
