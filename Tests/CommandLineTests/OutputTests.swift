import Files
import Foundation
import TestSupport
import Testing

/// What commands do when nobody can read what they print, and what they print to whom; driven by Python.
@Suite struct OutputTests {
    /// Runs Python with `run(arguments, stdout)` and `terminal(arguments, columns, environment)` at hand.
    private func python(_ code: String) throws -> JSONValue {
        let place = try finishedSweep.get().place
        let text = try place.python(
            """
            import fcntl, json, os, pty, re, struct, subprocess, sys, termios
            program, sweep = \(JSONValue.string(program.path).canonical), \(JSONValue.string(place.sweep).canonical)
            base = {k: v for k, v in os.environ.items() if k not in ('COLUMNS', 'NO_COLOR')}
            base['PROLOGUE_STORE'] = sys.argv[1]
            def run(arguments, stdout, **more):
                ended = subprocess.run([program] + arguments, stdout=stdout, stderr=subprocess.PIPE, env=base, **more)
                return [ended.returncode, ended.stderr.decode()]
            def terminal(arguments, columns, environment={}):
                master, slave = pty.openpty()
                fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 40, columns, 0, 0))
                child = subprocess.Popen([program] + arguments, stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                                         env={**base, 'TERM': 'xterm', **environment})
                os.close(slave)
                text = b''
                while True:
                    try: part = os.read(master, 65536)
                    except OSError: break
                    if not part: break
                    text += part
                child.wait(); os.close(master)
                assert child.returncode == 0, child.stderr.read()
                return text.decode().replace('\\r\\n', '\\n')
            \(code)
            """)
        return try JSONValue(parsing: Data(text.utf8))
    }

    private static let commands = """
        commands = [['--help'], ['--version'], ['sweep', 'run', '--help'], ['--generate-completion-script', 'bash'],
                    ['runs', 'export', '--csv'], ['runs', 'list', '--json'], ['runs', 'sql', 'SELECT id FROM runs'],
                    ['sweep', 'plan', sweep], ['sweep', 'plan', sweep, '--stages', '--latex'], ['sweep', 'status', sweep],
                    ['sweep', 'status', sweep, '--watch', '--json'], ['compare', sweep, '--markdown'], ['gc'], ['doctor'],
                    ['sweep', 'run', sweep, '--workers', '1']]

        """

    @Test func aFullDeviceIsAnError() throws {
        let ended = try python(Self.commands + "print(json.dumps([run(c, open('/dev/full', 'w')) for c in commands]))")
        for result in try #require(ended.arrayValue) {
            #expect(result.arrayValue?[0] == 1, "\(result)")
            #expect(result.arrayValue?[1].stringValue?.contains("cannot write to standard output: No space left on device") == true)
        }
    }

    /// The code that a shell reports of a program that SIGPIPE ended; not a word, since the reader has seen what it wanted.
    @Test func aClosedPipeEndsQuietly() throws {
        let ended = try python(
            Self.commands + """
                def closed(command):
                    read, write = os.pipe(); os.close(read)
                    try: return run(command, write)
                    finally: os.close(write)
                print(json.dumps([closed(c) for c in commands]))
                """)
        for result in try #require(ended.arrayValue) {
            #expect(result.arrayValue?[0] == 141, "\(result)")
            #expect(result.arrayValue?[1].stringValue?.contains("error") == false, "\(result)")
        }
    }

    /// A command that fails says so whether or not anyone reads its output; and with standard output closed, files that
    /// it opens do not take its place.
    @Test func closedStreamsHarmNothing() throws {
        let ended = try python(
            """
            closed = lambda command, streams: subprocess.run(
                [program] + command, env=base, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                preexec_fn=lambda: [os.close(s) for s in streams]).returncode
            before = {n: open(os.path.join(f, n), 'rb').read() for f, _, ns in os.walk(sys.argv[1]) for n in ns if n == 'stage.json'}
            codes = [closed(['runs', 'list'], [1]), closed(['sweep', 'status', sweep], [0, 1, 2]), closed(['runs', 'list'], [2]),
                     closed(['sweep', 'plan', 'nowhere.yaml'], [1, 2])]
            after = {n: open(os.path.join(f, n), 'rb').read() for f, _, ns in os.walk(sys.argv[1]) for n in ns if n == 'stage.json'}
            print(json.dumps(codes + [before == after, run(['sweep', 'plan', 'nowhere.yaml'], open('/dev/full', 'w'))[0]]))
            """)
        #expect(ended == [1, 1, 0, 2, true, 2])
    }

    /// Lines fit the terminal, or what `COLUMNS` says; in a pipe they are as long as they like.
    @Test(arguments: [60, 80, 100]) func tablesFitTheTerminal(_ columns: Int) throws {
        let texts = try python(
            Self.commands + """
                plain = lambda text: re.sub('\\x1b\\\\[[0-9;]*[A-Za-z]', '', text)
                shown = [['runs', 'list'], ['sweep', 'status', sweep], ['sweep', 'plan', sweep, '--stages']]
                print(json.dumps([plain(terminal(c, \(columns))) for c in shown]
                                 + [subprocess.run([program] + c, capture_output=True, text=True,
                                                   env={**base, 'COLUMNS': '\(columns)'}).stdout for c in shown]))
                """)
        for text in try #require(texts.arrayValue).compactMap(\.stringValue) {
            let longest = text.split(separator: "\n").map(\.count).max() ?? 0
            #expect(longest <= columns && longest > 20, "\(text)")
        }
    }

    @Test func statesAreColouredOnTerminalsOnly() throws {
        let texts =
            try python(
                """
                list = ['runs', 'list']
                print(json.dumps([terminal(list, 120), terminal(list, 120, {'NO_COLOR': '1'}), terminal(list, 120, {'TERM': 'dumb'}),
                                  subprocess.run([program] + list, capture_output=True, text=True, env=base).stdout]))
                """
            ).arrayValue?.compactMap(\.stringValue) ?? []
        #expect(texts.count == 4 && texts[0].contains("\u{1B}[32mdone\u{1B}[0m"))
        for text in texts.dropFirst() { #expect(text.contains("done") && !text.contains("\u{1B}"), "\(text)") }
    }

    /// Quiet is quiet: nothing at all of a sweep that is done.
    @Test func quietSaysNothing() throws {
        let place = try finishedSweep.get().place
        let run = try place.run("sweep", "run", place.sweep, "--workers", "1", "-q")
        #expect(run.code == 0 && run.output.isEmpty && run.errors.isEmpty, "\(run.output)\(run.errors)")
        let plan = try place.run("sweep", "plan", place.sweep, "-q")
        #expect(plan.output.split(separator: "\n").count == 1)
        #expect(try place.run("sweep", "status", place.sweep, "-q").output.split(separator: "\n").count == 1)
    }
}
