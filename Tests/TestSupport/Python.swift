import Files
import Foundation

/// The Python that results are compared with: `PROLOGUE_PYTHON`, else the package's `.venv/bin/python`, else `python3`.
public let pythonInterpreter: String = {
    if let chosen = ProcessInfo.processInfo.environment["PROLOGUE_PYTHON"] { return chosen }
    let own = packageRoot.appendingPathComponent(".venv/bin/python").path
    return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
}()

/// Whether that Python has PyTorch.
public let pythonHasTorch = (try? python("import torch; print('yes')")) == "yes"

/// Runs `script` with `arguments` in `sys.argv[1:]` and returns what it printed, without white space at either end. It
/// runs in `folder`, or in an empty one, with `files` beside it.
@discardableResult
public func python(_ script: String, _ arguments: String..., files: [String: Data] = [:], in folder: URL? = nil) throws -> String {
    try python(script, arguments: arguments, files: files, in: folder)
}

@discardableResult
public func python(_ script: String, arguments: [String], files: [String: Data] = [:], in folder: URL? = nil) throws -> String {
    try withTemporaryFolder { own in
        // A file, not an argument: a script with numbers in it may be longer than an argument can be.
        let file = own.appendingPathComponent("script.py")
        try Data(script.utf8).write(to: file)
        let folder = folder ?? own
        for (name, data) in files { try data.write(to: folder.appendingPathComponent(name)) }
        return try PythonServer.shared.get().run(file, arguments, in: folder).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Runs `script` beside each of `floats` and `doubles` as a raw file of that name, read by `f32(name, *shape)` and
/// `f64(name, *shape)`, and `input` as the file `input`; reads the JSON that it prints.
public func pythonJSON(
    _ script: String, floats: [String: [Float]] = [:], doubles: [String: [Double]] = [:], input: String? = nil
) throws -> JSONValue {
    let preamble = """
        import json
        import numpy as np
        def f32(name, *shape): return np.fromfile(name, np.float32).reshape(shape or (-1,))
        def f64(name, *shape): return np.fromfile(name, np.float64).reshape(shape or (-1,))

        """
    var files = floats.mapValues { $0.withUnsafeBytes { Data($0) } }
    files.merge(doubles.mapValues { $0.withUnsafeBytes { Data($0) } }) { $1 }
    if let input { files["input"] = Data(input.utf8) }
    return try JSONValue(parsing: Data(python(preamble + script, files: files).utf8))
}
