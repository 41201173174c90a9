import Files
import Foundation
import RunStore
import Sweep

extension ExperimentContext {
    /// The run whose id is `given`, or begins with it where only one does.
    public func run(_ given: String) throws -> RunRecord {
        let ids = store.runIDs()
        if ids.contains(given) { return try store.run(given) }
        let matches = ids.filter { $0.hasPrefix(given) }
        if matches.count == 1 { return try store.run(matches[0]) }
        guard matches.isEmpty else {
            throw InputError("'\(given)' may be any of \(matches.count) runs: \(matches.prefix(6).joined(separator: ", "))")
        }
        let hint = nearest(to: given, among: ids).map { "; did you mean '\($0)'?" } ?? ""
        throw InputError(
            ids.isEmpty
                ? "no run '\(given)': the store \(store.directory.path) has no runs yet"
                : "no run '\(given)' in \(store.directory.path)\(hint)")
    }

    /// The stages of a recorded run, from the settings recorded with it.
    public func plan(of run: RunRecord) throws -> RunPlan {
        try RunPlan(run.config.decode(as: RunSettings.self), self)
    }
}
