import Experiment
import Files
import Foundation
import Report
import RunStore
import Sweep

/// Shows how far a sweep is while a scheduler has workers of it.
struct SweepFollower {
    private let sweep: SweepFile
    private let store: Store
    private let isQuiet: Bool

    /// Seconds between two looks, and between two lines where nothing can be drawn again.
    private static let (interval, pause) = (2.0, 30.0)

    init(_ sweep: SweepFile, _ store: Store, isQuiet: Bool) { (self.sweep, self.store, self.isQuiet) = (sweep, store, isQuiet) }

    /// Returns when the sweep is done, or no worker is left.
    func follow() throws {
        if !isQuiet {
            complain("This may be closed: the workers go on. 'prologue sweep status' shows them, 'prologue sweep stop' stops them.")
        }
        var redraw = Redraw()
        var last = (line: "", shown: ContinuousClock.now - .seconds(Self.pause))
        while true {
            let (status, workers) = (try SweepStatus(of: sweep, in: store), SweepWorkers(of: sweep.name, in: store))
            let line = ([SweepCommand.Status.sentence(status.overall)] + workers.lines + workers.notes).joined(separator: "; ")
            if !isQuiet, Terminal.canRedraw {
                redraw.show(SweepCommand.Status.table(status, workers).forTerminal)
            } else if !isQuiet, line != last.line, ContinuousClock.now - last.shown >= .seconds(Self.pause) {
                complain(line)
                last = (line, .now)
            }
            let isDone = status.cells.allSatisfy { $0.state == .done }
            // A scheduler that cannot be asked just now may still have them.
            if isDone || !(status.isUnderWay || workers.isUnderWay || !workers.notes.isEmpty) || StandardOutput.isBroken { return }
            Thread.sleep(forTimeInterval: Self.interval)
        }
    }
}
