import Foundation

/// Properties of the terminal that a command prints to.
enum Terminal {
    /// Characters in a line: what `COLUMNS` says, else the terminal's own width; nil in a pipe or file, where lines may be
    /// as long as they like.
    static func width(of stream: Int32 = STDOUT_FILENO) -> Int? {
        if let told = ProcessInfo.processInfo.environment["COLUMNS"].flatMap({ Int($0) }), told >= 20 { return told }
        var size = winsize()
        guard ioctl(stream, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 20 else { return nil }
        return Int(size.ws_col)
    }

    static var height: Int? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 1 else { return nil }
        return Int(size.ws_row)
    }

    /// Whether there is a terminal that can move its cursor.
    static var canRedraw: Bool {
        isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] ?? "dumb" != "dumb"
    }

    /// Whether to colour: on a terminal, unless `NO_COLOR` is set to anything (https://no-color.org).
    static var isColoured: Bool { canRedraw && ProcessInfo.processInfo.environment["NO_COLOR"] ?? "" == "" }
}

/// Redraws a block of lines in place, above which everything stays as it was.
struct Redraw {
    private var drawn = 0

    /// - Parameter text: lines; of more than the terminal is high, the first ones, and how many were left out.
    mutating func show(_ text: String) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        if let height = Terminal.height, lines.count >= height {
            lines = lines.prefix(height - 2) + ["… \(lines.count - height + 2) more lines"]
        }
        // Moves up to the first line drawn last time. Each line is cleared behind its new text, and so is all below the block.
        let up = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
        print("\r" + up + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J", terminator: "")
        drawn = lines.count
    }
}
