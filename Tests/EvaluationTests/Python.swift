import Files
import Foundation

/// Answers from numpy, scipy and scikit-learn, which these measures are checked against.
enum Python {
    static let packageRoot = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Runs `script` in a fresh folder that holds each array of `arrays` as a raw file of that name (float32 or float64,
    /// native order) and reads the JSON that it prints.
    static func run(_ script: String, floats: [String: [Float]] = [:], doubles: [String: [Double]] = [:]) throws -> JSONValue {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("prologue-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, values) in floats {
            try values.withUnsafeBytes { Data($0) }.write(to: folder.appendingPathComponent(name))
        }
        for (name, values) in doubles {
            try values.withUnsafeBytes { Data($0) }.write(to: folder.appendingPathComponent(name))
        }
        let preamble = """
            import json
            import numpy as np
            def f32(name, *shape): return np.fromfile(name, np.float32).reshape(shape or (-1,))
            def f64(name, *shape): return np.fromfile(name, np.float64).reshape(shape or (-1,))

            """
        try Data((preamble + script).utf8).write(to: folder.appendingPathComponent("script.py"))

        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [interpreter, "script.py"]
        process.currentDirectoryURL = folder
        let output = Pipe()
        let errors = folder.appendingPathComponent("errors.txt")
        try Data().write(to: errors)
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw InputError("\(interpreter) failed: " + String(decoding: try Data(contentsOf: errors), as: UTF8.self))
        }
        return try JSONValue(parsing: answer)
    }

    private static var interpreter: String {
        if let chosen = ProcessInfo.processInfo.environment["PROLOGUE_PYTHON"] { return chosen }
        let own = packageRoot.appendingPathComponent(".venv/bin/python").path
        return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
    }
}

extension JSONValue {
    /// The number at a dotted path.
    func number(_ path: String) throws -> Double {
        guard let value = self[path: path]?.doubleValue else { throw InputError("no number at \(path) in \(canonical)") }
        return value
    }

    func numbers(_ path: String) throws -> [Double] {
        guard let values = self[path: path]?.arrayValue else { throw InputError("no list at \(path) in \(canonical)") }
        return values.compactMap(\.doubleValue)
    }
}

func relativeError(_ value: Double, _ expected: Double) -> Double { abs(value - expected) / abs(expected) }
