import Files
import Foundation
import RunStore
import Sweep

extension SweepResults {
    /// The cells of a sweep file, from the records of their runs.
    ///
    /// - Parameter over: what is averaged over; empty: what the sweep says.
    public init(_ sweep: SweepFile, in store: Store, over: [String] = []) throws {
        let over = over.isEmpty ? sweep.compare.over : over
        let reader = ResultsReader(store)
        var groups: [(choices: [Choice], members: [(cell: Cell, run: Run)])] = []
        for cell in sweep.cells {
            let kept = cell.choices.filter { !over.contains($0.axis) }
            let run = try reader.run(of: cell, in: sweep, over: over)
            if let place = groups.firstIndex(where: { $0.choices == kept }) {
                groups[place].members.append((cell, run))
            } else {
                groups.append((kept, [(cell, run)]))
            }
        }
        let labels = ArmLabels.short(groups.map { $0.choices.map { .init(key: $0.axis, label: $0.label, value: $0.value) } })
        let arms = zip(groups, labels).map { group, label in
            Arm(
                label: label.isEmpty ? sweep.name : label, cell: group.members[0].cell.label,
                isBaseline: group.members.contains { sweep.compare.isBaseline($0.cell) }, runs: group.members.map(\.run))
        }
        let archived = try store.archiveNote(for: arms.flatMap { $0.runs.map(\.id) })
        self.init(name: sweep.name, question: sweep.question, arms: arms, notes: (archived.map { [$0] } ?? []) + reader.notes)
    }
}

extension ResultsReader {
    /// The run of a cell, as far as it has been made.
    fileprivate func run(of cell: Cell, in sweep: SweepFile, over: [String]) throws -> SweepResults.Run {
        let id = try store.runID(of: cell, in: sweep.name)
        let entry = attempt { try store.entry(ofRun: id) }
        if let damage = entry?.damage { note(damage) }
        // The record of a run with adopted models has their settings in place of the file's.
        let settings = FlatSettings(entry.map { cell.resolved.overlaid(with: $0.run.config) } ?? cell.resolved)
        var names = Dictionary(cell.choices.map { ($0.axis, $0.value) }, uniquingKeysWith: { first, _ in first })
        names["label"] = .string(cell.label)
        names["cell"] = .string(cell.label)
        names["sweep"] = .string(sweep.name)
        return SweepResults.Run(
            id: id, seed: cell.seed, replicate: settings.split(over: over).replicate, state: entry?.status.state,
            stages: entry.map { stages(of: $0.run) } ?? [:], settings: settings, names: names,
            pictures: (entry?.artifacts ?? []).filter {
                FileManager.default.fileExists(atPath: store.directory.appendingPathComponent($0.path).path)
            })
    }
}

extension JSONValue {
    /// The same members, with the values that `other` has for them.
    fileprivate func overlaid(with other: JSONValue) -> JSONValue {
        guard case .object(let own) = self, case .object(let others) = other else { return other }
        return .object(own.merging(others.filter { own[$0.key] != nil }) { $0.overlaid(with: $1) })
    }
}
