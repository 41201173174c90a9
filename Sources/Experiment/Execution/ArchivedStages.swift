import RunStore
import Sweep

extension SweepRunner {
    /// The places of runs that only the archive has, with every stage that is asked of them.
    func archivedRuns(_ plans: [(cell: Cell, plan: RunPlan)], _ asked: [[any Stage]]) throws -> Set<Int> {
        guard let archived = context.store.archive?.stageIDs else { return [] }
        return try Set(
            plans.indices.filter { run in
                try context.store.isOnlyArchived(run: context.store.runID(of: plans[run].cell, in: sweep.name))
                    && asked[run].allSatisfy { archived.contains($0.id) }
            })
    }
}

extension Store {
    /// Which of the stages of `runs` count as done because the archive beside the store has what they measured. One that a stage
    /// reads which is still to be made is not among them: its files are needed, and it is made again.
    ///
    /// - Parameter runs: the stages of each run, each after those it reads from.
    func sparedStages(_ runs: [[any Stage]]) throws -> Set<String> {
        guard let archive else { return [] }
        let archived = archive.stageIDs
        var seen: Set<String> = []
        let stages = runs.flatMap { $0 }.map(\.identity).filter { seen.insert($0.id).inserted }
        var (needed, spared): (Set<String>, Set<String>) = ([], [])
        for identity in stages.reversed() where try completed(stage(identity)) == nil {
            if archived.contains(identity.id), !needed.contains(identity.id) {
                spared.insert(identity.id)
            } else {
                needed.formUnion(identity.inputs.values)
            }
        }
        return spared
    }
}
