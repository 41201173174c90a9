import Experiment
import Foundation

/// Progress for people: a bar that redraws itself on a terminal, a line now and then in a pipe. Goes to standard error,
/// so that tables on standard output stay clean.
final class ConsoleProgress: ProgressReporter {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let isQuiet: Bool
    private var lastLine = ContinuousClock.now - .seconds(60)
    private var barIsShown = false

    init(isQuiet: Bool = false) { self.isQuiet = isQuiet }

    func note(_ line: String) {
        clearBar()
        if !isQuiet { write(line + "\n") }
    }

    func update(_ progress: StageProgress) {
        guard !isQuiet else { return }
        let isLast = progress.step == progress.steps
        let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(10)
        guard isLast || ContinuousClock.now - lastLine >= interval else { return }
        lastLine = .now
        if isTerminal {
            write("\r\u{1B}[2K" + bar(progress))
            barIsShown = true
        } else {
            write(text(progress) + "\n")
        }
    }

    func finish() {
        guard barIsShown else { return }
        write("\n")
        barIsShown = false
    }

    private func clearBar() {
        if barIsShown { write("\r\u{1B}[2K") }
        barIsShown = false
    }

    private func bar(_ progress: StageProgress) -> String {
        let width = 24
        let filled = progress.steps == 0 ? width : width * progress.step / progress.steps
        return "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled) + "] "
            + text(progress)
    }

    private func text(_ progress: StageProgress) -> String {
        var parts = ["\(progress.stage) \(progress.step)/\(progress.steps)"]
        if let rate = progress.rate { parts.append(String(format: "%.1f/s", rate)) }
        if let left = progress.secondsLeft, progress.step < progress.steps { parts.append("\(Self.time(left)) left") }
        parts += progress.values.map { String(format: "%@ %.4g", $0.name, $0.value) }
        return parts.joined(separator: "  ")
    }

    static func time(_ seconds: Double) -> String {
        let s = Int(seconds.rounded(.up))
        return s < 60 ? "\(s) s" : s < 3600 ? "\(s / 60) min \(s % 60) s" : "\(s / 3600) h \(s % 3600 / 60) min"
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
