import Cluster
import Files
import RunStore

/// The workers that a scheduler has of a sweep, as far as this machine can ask it.
struct SweepWorkers {
    let tasks: [Slurm.Task]
    /// Submissions that the scheduler may still have something of.
    private let submissions: [Submission]
    /// What could not be read, or asked.
    let notes: [String]

    init(of sweep: String, in store: Store) {
        var notes: [String] = []
        submissions = Submission.all(of: sweep, in: store.directory) { notes.append($0) }
        var tasks: [Slurm.Task] = []
        if let last = submissions.last {
            if Slurm.isHere {
                do {
                    tasks = try Slurm.tasks(called: Submission.jobName(of: sweep), ofJobs: Set(submissions.compactMap(\.job)))
                } catch { notes.append("\(error)") }
            } else {
                notes.append(
                    "\(last.job.map { "Slurm job \($0)" } ?? "a job") of \(last.workers) workers was submitted on \(last.host); "
                        + "Slurm cannot be asked from this machine")
            }
        }
        (self.tasks, self.notes) = (tasks, notes)
    }

    /// Whether the scheduler has any, at work or queued.
    var isUnderWay: Bool { !tasks.isEmpty }

    /// A line for the tasks of a job that are in the same state for the same reason.
    var lines: [String] {
        var groups: [(key: [String], tasks: [Slurm.Task])] = []
        for task in tasks {
            let key = [task.job, task.state, task.explanation]
            if let place = groups.firstIndex(where: { $0.key == key }) {
                groups[place].tasks.append(task)
            } else {
                groups.append((key, [task]))
            }
        }
        return groups.map { key, tasks in
            let nodes = Set(tasks.map(\.node).filter { !$0.isEmpty }).sorted().joined(separator: ", ")
            let state = tasks[0].isQueued ? "queued" : key[1].lowercased()
            let place = nodes.isEmpty ? "" : " on \(nodes)"
            return "Slurm job \(key[0]): \(tasks.count) \(tasks.count == 1 ? "worker" : "workers") \(state)\(place)"
                + (key[2].isEmpty ? "" : ": \(key[2])")
        }
    }

    var json: JSONValue {
        .array(
            tasks.map { task in
                [
                    "job": .string(task.job), "task": .string(task.id), "state": .string(task.state), "reason": text(task.reason),
                    "explanation": text(task.explanation), "node": text(task.node), "start": text(task.start),
                ]
            })
    }

    private func text(_ text: String) -> JSONValue { text.isEmpty ? .null : .string(text) }
}
