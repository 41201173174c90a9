import Experiment
import Foundation
import Report

/// Progress for people: a line for each worker that redraws itself on a terminal, a line now and then in a pipe. Goes to
/// standard error, so that tables on standard output stay clean.
final class ConsoleProgress: ProgressReporter {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let isQuiet: Bool
    /// The latest progress of each worker that is busy.
    private var lanes: [Int: StageProgress] = [:]
    private var lastLines: [Int: ContinuousClock.Instant] = [:]
    /// How many lines on the screen are to be drawn again.
    private var drawn = 0

    init(isQuiet: Bool = false) { self.isQuiet = isQuiet }

    func note(_ line: String) {
        guard !isQuiet else { return }
        erase()
        write(line + "\n")
        draw()
    }

    func update(_ progress: StageProgress) {
        guard !isQuiet else { return }
        let isLast = progress.step == progress.steps
        let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(10)
        lanes[progress.lane] = progress
        if !isLast, let last = lastLines[progress.lane], ContinuousClock.now - last < interval { return }
        lastLines[progress.lane] = .now
        if isTerminal {
            erase()
            draw()
        } else {
            write(Self.text(progress) + "\n")
        }
    }

    func finish(lane: Int) {
        guard let last = lanes.removeValue(forKey: lane), isTerminal else { return }
        // The finished line stays, above those still in progress.
        erase()
        write(Self.bar(last) + "\n")
        draw()
    }

    private func erase() {
        if drawn > 0 { write("\r" + String(repeating: "\u{1B}[2K\u{1B}[1A", count: drawn - 1) + "\u{1B}[2K") }
        drawn = 0
    }

    private func draw() {
        guard isTerminal, !lanes.isEmpty else { return }
        let lines = lanes.sorted { $0.key < $1.key }.map { Self.fitted(Self.bar($0.value)) }
        write(lines.joined(separator: "\n"))
        drawn = lines.count
    }

    private static func bar(_ progress: StageProgress) -> String {
        let width = 24
        let filled = progress.steps == 0 ? width : width * progress.step / progress.steps
        return "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled) + "] "
            + text(progress)
    }

    private static func text(_ progress: StageProgress) -> String {
        let lane = progress.lane == 0 ? "" : "[\(progress.lane)] "
        var parts = ["\(lane)\(progress.stage) \(progress.step)/\(progress.steps)"]
        if let rate = progress.rate { parts.append(String(format: "%.1f/s", rate)) }
        if let left = progress.secondsLeft, progress.step < progress.steps { parts.append("\(Units.time(left)) left") }
        parts += progress.values.map { String(format: "%@ %.4g", $0.name, $0.value) }
        return parts.joined(separator: "  ")
    }

    private func write(_ text: String) { complain(text, terminator: "") }

    /// Cut to the terminal's width: a line that wraps could not be erased.
    private static func fitted(_ line: String) -> String {
        Terminal.width(of: STDERR_FILENO).map { String(line.prefix($0 - 1)) } ?? line
    }
}
