import Files
import Foundation

/// A Python that has loaded the libraries which scripts import, and forks for each script: PyTorch takes longer to load than most
/// comparisons with it take.
///
/// A request is a connection to its socket: the script's file, its arguments and its folder as JSON; the answer is the exit code. The
/// server ends when this process does, with its standard input.
final class PythonServer: Sendable {
    static let shared = Result { try PythonServer() }

    private static let program = """
        import ast, atexit, gc, importlib, json, os, runpy, select, signal, socket, sys, traceback
        LARGE = {'numpy', 'scipy', 'sklearn', 'torch', 'h5py', 'pandas', 'PIL', 'safetensors'}

        def load(script):
            'Imports of the script that take long.'
            try: nodes = list(ast.walk(ast.parse(open(script).read())))
            except (SyntaxError, ValueError): return
            names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
            names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module]
            for name in names:
                if name.split('.')[0] in LARGE:
                    # What fails here fails again in the script, which says so.
                    try: importlib.import_module(name)
                    except Exception: pass

        def serve(connection, request):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.chdir(request['folder'])
            for descriptor, file in [(1, request['output']), (2, request['errors'])]:
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.argv = [request['script']] + request['arguments']
            sys.path[0] = os.path.dirname(request['script'])
            code = 0
            try: runpy.run_path(request['script'], run_name='__main__')
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
                if code and not isinstance(end.code, int): print(end.code, file=sys.stderr)
            except BaseException:
                traceback.print_exc()
                code = 1
            # What a script leaves to be closed; taking down all that was loaded would take longer than most scripts.
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            connection.sendall(str(code).encode())
            os._exit(code)

        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(b'\\0' + sys.argv[1].encode())
        listener.listen(1024)
        print('listening', flush=True)
        while True:
            ready, _, _ = select.select([sys.stdin, listener], [], [])
            if sys.stdin in ready and not os.read(0, 1): break
            if listener not in ready: continue
            connection, _ = listener.accept()
            request = json.loads(connection.makefile('rb').readline())
            load(request['script'])
            # Else the collector would write to every page that is shared with the child.
            gc.freeze()
            if os.fork() == 0:
                listener.close()
                serve(connection, request)
            connection.close()
        """

    private let name = "prologue-test-\(UUID().uuidString)"
    private let process = Process()
    private let input = Pipe()

    private init() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(name).py")
        try Data(Self.program.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [pythonInterpreter, "-B", file.path, name]
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        guard output.fileHandleForReading.availableData.starts(with: Data("listening".utf8)) else {
            throw ProgramFailed(description: "\(pythonInterpreter) cannot be started")
        }
    }

    /// Runs a script in a process of its own and returns what it printed; throws what it wrote to standard error when it fails.
    func run(_ script: URL, _ arguments: [String], in folder: URL) throws -> String {
        let (output, errors) = (script.appendingPathExtension("output"), script.appendingPathExtension("errors"))
        let request: JSONValue = [
            "script": .string(script.path), "arguments": .array(arguments.map { .string($0) }), "folder": .string(folder.path),
            "output": .string(output.path), "errors": .string(errors.path),
        ]
        let connection = FileHandle(fileDescriptor: try connect(), closeOnDealloc: true)
        try connection.write(contentsOf: Data((request.canonical + "\n").utf8))
        let code = try connection.readToEnd() ?? Data()
        guard code == Data("0".utf8) else {
            let said = try? String(contentsOf: errors, encoding: .utf8)
            throw ProgramFailed(description: "\(pythonInterpreter) failed: \(said ?? "")")
        }
        return try String(contentsOf: output, encoding: .utf8)
    }

    private func connect() throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        // A name that begins with 0 is no file.
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0[1...].copyBytes(from: name.utf8) }
        let length = socklen_t((MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 0) + 1 + name.utf8.count)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Foundation.connect(descriptor, $0, length) }
        }
        guard descriptor >= 0, status == 0 else {
            throw ProgramFailed(description: "\(pythonInterpreter) has ended: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }
}
