import Foundation

/// Runs a Python script, the peer that results are checked against, and returns what it printed.
///
/// The interpreter is `PROLOGUE_PYTHON`, else `.venv/bin/python` of the package, else `python3`.
func python(_ script: String, _ arguments: String...) throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let ownEnvironment = root.appendingPathComponent(".venv/bin/python").path
    let interpreter =
        ProcessInfo.processInfo.environment["PROLOGUE_PYTHON"]
        ?? (FileManager.default.isExecutableFile(atPath: ownEnvironment) ? ownEnvironment : "python3")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [interpreter, "-c", script] + arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw PythonFailed(status: process.terminationStatus, output: text) }
    return text
}

struct PythonFailed: Error {
    let status: Int32
    let output: String
}

/// Gives `body` a fresh folder that is gone afterwards.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("prologue-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}
