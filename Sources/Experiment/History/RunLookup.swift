import Files
import Foundation
import RunStore
import Settings
import Sweep

extension Store {
    /// The id of the run of a cell.
    ///
    /// A run that an earlier version made keeps the shorter id that it gave it. That such a short id stands for these settings
    /// and not, by chance, for others is seen from what was recorded with it.
    public func runID(of cell: Cell, in sweep: String) throws -> String {
        func id(digits: Int) -> String {
            RunRecord.makeID(sweep: sweep, cell: cell.label, seed: cell.seed, identity: cell.identity, digits: digits)
        }
        let shorter = id(digits: RunRecord.earlierDigits)
        let recorded: RunRecord?
        do { recorded = try recordedRun(shorter) } catch let error as InputError where error.isDamage {
            // The damaged record is written anew; that it was another cell's is next to impossible.
            return shorter
        }
        guard let record = recorded else { return id(digits: RunRecord.digits) }
        let isSame: Bool
        if let digest = record.identity {
            isSame = digest == RunRecord.digest(of: cell.identity)
        } else {
            // With adopted models the record has their settings in place of those of the file.
            let adopts = ["tokenizer.from", "prior.from"].contains { record.config[path: $0]?.stringValue != nil }
            isSame =
                RunSettings.identity(of: record.config).withPlainNumbers == cell.identity.withPlainNumbers
                || adopts && (record.sweep, record.cell, record.seed) == (sweep, cell.label, cell.seed)
        }
        return isSame ? shorter : id(digits: RunRecord.digits)
    }
}

extension ExperimentContext {
    /// The run whose id is `given`, or begins with it where only one does.
    public func run(_ given: String) throws -> RunRecord { try store.run(store.runID(matching: given)) }

    /// The stages of a recorded run, from the settings recorded with it.
    public func plan(of run: RunRecord) throws -> RunPlan {
        try RunPlan(RunSettings(run.config, from: "run \(run.id)"), self)
    }
}
