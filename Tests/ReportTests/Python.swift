import Files
import Foundation

/// What other programs read out of our output.
enum Python {
    /// Runs `script` in a fresh folder with `input` in the file of that name and reads the JSON that it prints.
    static func run(_ script: String, input: String) throws -> JSONValue {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("prologue-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(input.utf8).write(to: folder.appendingPathComponent("input"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [interpreter, "-c", "import json\n" + script]
        process.currentDirectoryURL = folder
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw InputError("\(interpreter) failed on \(input)") }
        return try JSONValue(parsing: answer)
    }

    private static var interpreter: String {
        if let chosen = ProcessInfo.processInfo.environment["PROLOGUE_PYTHON"] { return chosen }
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let own = root.appendingPathComponent(".venv/bin/python").path
        return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
    }
}
