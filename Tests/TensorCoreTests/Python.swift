import Foundation

/// The Python that results are checked against: `PROLOGUE_PYTHON`, else `.venv/bin/python` of the package, else
/// `python3`.
enum Python {
    /// Whether this Python has PyTorch.
    static let hasTorch = (try? run("import torch; print('yes')"))?.hasPrefix("yes") == true

    struct Failed: Error {
        let status: Int32
        let output: String
    }

    /// Runs `script` and returns what it printed.
    static func run(_ script: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [interpreter, "-"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(script.utf8))
        try input.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(status: process.terminationStatus, output: text) }
        return text
    }

    private static var interpreter: String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let own = root.appendingPathComponent(".venv/bin/python").path
        return ProcessInfo.processInfo.environment["PROLOGUE_PYTHON"]
            ?? (FileManager.default.isExecutableFile(atPath: own) ? own : "python3")
    }
}
