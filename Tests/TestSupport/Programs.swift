import Foundation

public struct ProgramFailed: Error, CustomStringConvertible {
    public let description: String
}

/// Runs a program to its end and returns what it printed, without white space at either end; throws what it wrote to
/// standard error when it fails.
@discardableResult
public func runProgram(_ program: String, _ arguments: [String], in folder: URL? = nil) throws -> String {
    // To a file, so that neither of the two outputs can fill up while the other is read.
    let errors = FileManager.default.temporaryDirectory.appendingPathComponent("prologue-test-\(UUID().uuidString).errors")
    try Data().write(to: errors)
    defer { try? FileManager.default.removeItem(at: errors) }
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    if let folder { process.currentDirectoryURL = folder }
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    let printed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ProgramFailed(description: "\(program) failed: \(try String(contentsOf: errors, encoding: .utf8))")
    }
    return printed.trimmingCharacters(in: .whitespacesAndNewlines)
}

/// Whether there is a LaTeX that sets our tables: `pdflatex`, and the packages booktabs and graphicx.
public let hasLatex =
    (try? runProgram("sh", ["-c", "command -v pdflatex && kpsewhich booktabs.sty && kpsewhich graphicx.sty"])) != nil
