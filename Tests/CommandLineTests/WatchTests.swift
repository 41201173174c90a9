import Files
import Foundation
import TestSupport
import Testing

/// `sweep status --watch` on a terminal.
@Suite(.serialized) struct WatchTests {
    /// Runs a command on a pseudo terminal until it has drawn four times, presses Ctrl-C, and prints how it ended and what the screen shows.
    private static let terminal = """
        import fcntl, json, os, pty, re, select, signal, struct, sys, termios, time
        width, height, command = int(sys.argv[1]), 24, sys.argv[2:]
        pid, master = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
            os.environ["TERM"] = "xterm"; os.environ.pop("COLUMNS", None); os.environ.pop("NO_COLOR", None)
            # Whoever starts tests in the background may have Ctrl-C ignored by all that they start.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            print("above", flush=True)
            os.execv(command[0], command)
        seen, end, pressed = b"", time.time() + 200, False
        while time.time() < end:
            if select.select([master], [], [], 0.1)[0]:
                try: piece = os.read(master, 65536)
                except OSError: break
                if not piece: break
                seen += piece
            if not pressed and seen.count(b"\\x1b[J") >= 4: os.write(master, b"\\x03"); pressed = True
        if time.time() >= end: os.kill(pid, signal.SIGKILL)
        ended = os.waitpid(pid, 0)[1]
        # The screen, as an xterm has it.
        screen, row, column, longest, hidden = [[" "] * width for _ in range(height)], 0, 0, 0, False
        def down():
            global row
            row += 1
            if row == height: screen.pop(0); screen.append([" "] * width); row -= 1
        for part in re.findall(r"\\x1b\\[[?0-9;]*[A-Za-z]|.", seen.decode(), re.S):
            if part == "\\r": column = 0
            elif part == "\\n": down()
            elif part.startswith("\\x1b["):
                number, letter = part[2:-1], part[-1]
                if letter == "A": row = max(0, row - int(number or 1))
                elif letter == "K": screen[row][column:] = [" "] * (width - column)
                elif letter == "J": screen[row][column:] = [" "] * (width - column); screen[row + 1:] = [[" "] * width for _ in screen[row + 1:]]
                elif number == "?25": hidden = letter == "l"
                else: assert letter == "m", part
            else:
                if column == width: column = 0; down(); longest = width + 1
                screen[row][column] = part; column += 1; longest = max(longest, column)
        lines = ["".join(line).rstrip() for line in screen]
        print(json.dumps({"lines": lines, "hidden": hidden, "longest": longest, "row": row, "pressed": pressed,
                          "signal": os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else 0}))
        """

    @Test func theTableIsDrawnInPlace() throws {
        let place = try Workplace()
        let long = ["--set", "tokenizer.steps=1000000", "--set", "tokenizer.checkpoint_every=1000000"]
        let training = try place.start(["train", place.sweep, "--stage", "tokenizer", "--workers", "1"] + long)
        defer {
            training.send(SIGKILL)
            _ = try? training.wait()
        }
        #expect(training.waits { place.has("tokenizer", "metrics.h5") })
        for width in [60, 100] {
            let arguments = ["sweep", "status", place.sweep, "--store", place.store.path, "--watch", "--every", "0.1"] + long
            let printed = try TestSupport.python(Self.terminal, arguments: ["\(width)", program.path] + arguments)
            let shown = try JSONValue(parsing: Data(printed.utf8))
            let lines = try #require(shown["lines"]?.arrayValue).compactMap(\.stringValue)
            let screen = lines.joined(separator: "\n")
            #expect(shown["pressed"] == true && shown["signal"] == .int(Int(SIGINT)), "\(shown)")
            // What was above the table is there still, and the table is there once.
            #expect(lines[0] == "above", "\(screen)")
            #expect(screen.ranges(of: "stages done").count == 1 && screen.ranges(of: "tokenizer").count == 1, "\(screen)")
            #expect(screen.contains("running") && screen.contains("baseline"), "\(screen)")
            #expect(shown["longest"]?.intValue ?? .max <= width, "a line is broken by the terminal\n\(screen)")
            // The cursor is where it can be seen, below the table.
            #expect(shown["hidden"] == false)
            let row = try #require(shown["row"]?.intValue)
            #expect(lines[row...].joined().trimmingCharacters(in: .whitespaces).replacing("^C", with: "").isEmpty, "\(screen)")
        }
    }
}
