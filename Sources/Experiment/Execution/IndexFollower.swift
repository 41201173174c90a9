import Files
import Foundation
import RunStore
import Synchronization

/// Keeps a store's index in step with its files while runs go on.
///
/// The files are the truth. An index that cannot be written is warned of once and never stops a run;
/// `prologue runs reindex` brings it up to date afterwards.
final class IndexFollower {
    private let progress: any ProgressReporter
    private var index: RunIndex?
    private var hasWarned = false

    /// Opens the index. Call before the first run is saved: a store without runs has nothing missing from its index.
    init(_ store: Store, _ progress: any ProgressReporter) {
        self.progress = progress
        let heard = Mutex<[String]>([])
        attempt { index = try RunIndex(store) { line in heard.withLock { $0.append(line) } } }
        for line in heard.withLock({ $0 }) { progress.note("index: \(line)") }
    }

    /// Reads the files of a run and its stages into the index.
    func refresh(run id: String) { attempt { try index?.refresh(run: id) } }

    private func attempt(_ body: () throws -> Void) {
        do { try body() } catch {
            if !hasWarned {
                progress.note(
                    "warning: the index is not up to date, runs go on without it: \(error); "
                        + "'prologue runs reindex' makes it again")
            }
            hasWarned = true
        }
    }
}
