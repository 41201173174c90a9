import Files
import Foundation
import RunStore
import Sweep

/// Keeps the records and statuses of the runs of a sweep in step with what happens to their stages.
///
/// A run is recorded when its first stage is begun, before anything is made for it. A status that cannot be written, to a
/// full disk for one, is warned of once; the stages say by themselves how far they are.
final class RunLedger {
    private let plans: [(cell: Cell, plan: RunPlan)]
    private let records: [RunRecord]
    private let context: ExperimentContext
    private let index: IndexFollower
    private var begun: Set<Int> = []
    private var settled: Set<Int> = []
    private var credited: Set<Int> = []
    private var hasWarned = false
    private(set) var outcome = SweepRunner.Outcome()

    /// - Parameter archived: runs that are done in the archive: nothing is written of them here.
    init(
        _ plans: [(cell: Cell, plan: RunPlan)], _ records: [RunRecord], archived: Set<Int> = [], _ context: ExperimentContext
    ) {
        (self.plans, self.records, self.context) = (plans, records, context)
        index = IndexFollower(context.store.alone, context.progress)
        settled = archived
        outcome.done = archived.sorted().map { records[$0].id }
        outcome.archived = archived.count
    }

    /// Before a stage is begun on the run's behalf, or is found done.
    func begin(_ run: Int) throws {
        guard begun.insert(run).inserted else { return }
        try context.store.save(records[run])
        context.progress.note("run \(run + 1) of \(plans.count): \(plans[run].cell.name)")
    }

    /// Writes what the run is at.
    func update(_ run: Int, _ graph: StageGraph, at role: String) {
        guard begun.contains(run) else { return }
        write(status(.running, of: run, graph, message: role, owner: .current), run)
    }

    /// Reads the files of a run into the index.
    func refreshIndex(_ run: Int) { index.refresh(run: records[run].id) }

    /// Writes how those runs ended whose last open stages were among `nodes`.
    func settle(_ graph: StageGraph, after nodes: [Int]) throws {
        for run in Set(nodes.flatMap { graph.users[$0] }).subtracting(settled).sorted()
        where graph.runs[run].allSatisfy(graph.isSettled) {
            settled.insert(run)
            try begin(run)
            let id = records[run].id
            count(run, graph)
            if let error = failure(of: run, graph) {
                write(status(.failed, of: run, graph, message: error), run)
                outcome.failed.append((id, error))
            } else {
                // A run that was whole before stays so when only a part of it is asked for.
                let isWhole = try plans[run].plan.stages.allSatisfy { try context.store.isDone(stage: $0.id) }
                let last = graph.runs[run].last.map { graph.nodes[$0].stage.role } ?? ""
                write(status(isWhole ? .done : .planned, of: run, graph, message: isWhole ? "" : "done up to \(last)"), run)
                outcome.done.append(id)
            }
            listPictures(run)
            refreshIndex(run)
        }
    }

    /// Writes how far those runs are that are left in the middle.
    func leave(_ graph: StageGraph) {
        for run in begun.sorted() where !settled.contains(run) {
            count(run, graph)
            if let error = failure(of: run, graph) {
                write(status(.failed, of: run, graph, message: error), run)
                outcome.failed.append((records[run].id, error))
            } else {
                let open = graph.runs[run].first { !graph.isSettled($0) }
                if let (role, owner) = otherWork(on: run, graph) {
                    write(status(.running, of: run, graph, message: role, owner: owner), run)
                    continue
                }
                write(status(.interrupted, of: run, graph, message: open.map { graph.nodes[$0].stage.role } ?? ""), run)
            }
            listPictures(run)
            refreshIndex(run)
        }
    }

    /// Who else works on the run, and at what.
    private func otherWork(on run: Int, _ graph: StageGraph) -> (role: String, owner: StageOwner)? {
        for node in graph.runs[run] where !graph.isSettled(node) {
            let stage = graph.nodes[node].stage
            if let owner = context.store.stage(stage.identity).owner { return (stage.role, owner) }
        }
        return nil
    }

    /// Notes the pictures that there are by now with the run.
    private func listPictures(_ run: Int) {
        let id = records[run].id
        do { _ = try context.store.artifacts(ofRun: id) } catch let error as InputError where error.isDamage {
            context.progress.note("\(error); it is written anew")
        } catch {}
        try? context.store.setArtifacts(plans[run].plan.pictures(in: context.store), ofRun: id)
    }

    private func failure(of run: Int, _ graph: StageGraph) -> String? {
        let errors = graph.runs[run].compactMap { node -> String? in
            if case .failed(let error) = graph.nodes[node].state { "\(graph.nodes[node].stage.role): \(error)" } else { nil }
        }
        return errors.isEmpty ? nil : errors.joined(separator: "; ")
    }

    private func status(
        _ state: Status.State, of run: Int, _ graph: StageGraph, message: String, owner: StageOwner? = nil
    ) -> Status {
        var (finished, seconds) = (0, 0.0)
        var skipped: [String: String] = [:]
        for node in graph.runs[run] {
            switch graph.nodes[node].state {
            case .done(_, let took): (finished, seconds) = (finished + 1, seconds + took)
            case .skipped(let cause): skipped[graph.nodes[node].stage.role] = graph.nodes[cause].stage.role
            case .waiting, .working, .failed: break
            }
        }
        return Status(
            state, step: finished, of: graph.runs[run].count, message: message, wallSeconds: seconds, owner: owner,
            skipped: skipped)
    }

    /// Stages worked on count for the first run that has them; for the others they were there.
    private func count(_ run: Int, _ graph: StageGraph) {
        for node in graph.runs[run] {
            guard case .done(let isReused, _) = graph.nodes[node].state else { continue }
            let isOwn = !isReused && credited.insert(node).inserted
            if isOwn { outcome.worked += 1 } else { outcome.reused += 1 }
        }
    }

    private func write(_ status: Status, _ run: Int) {
        do { try context.store.setStatus(status, ofRun: records[run].id) } catch {
            if !hasWarned { context.progress.note("warning: cannot write how far runs are: \(error)") }
            hasWarned = true
        }
    }
}
