import Files
import Foundation
import Sweep
import Testing

let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A folder that is gone when the work is done.
func withFolder<Result>(_ work: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sweep-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try work(folder)
}

/// Loads `yaml` as `experiment/sweep.yaml`, beside the other `files` and the presets.
func load(
    _ yaml: String, files: [String: String] = [:], set overrides: [String] = [], only: String? = nil
) throws -> SweepFile {
    try withFolder { folder in
        let experiment = folder.appendingPathComponent("experiment")
        try FileManager.default.createDirectory(at: experiment, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: repository.appendingPathComponent("Experiments/presets"), to: folder.appendingPathComponent("presets"))
        for (name, text) in files { try Data(text.utf8).write(to: experiment.appendingPathComponent(name)) }
        let file = experiment.appendingPathComponent("sweep.yaml")
        try Data(yaml.utf8).write(to: file)
        return try SweepFile(loading: file, overrides: overrides, only: only)
    }
}

/// The error that loading gives, without the folder's name; nil where it gives none.
func loadingError(
    _ yaml: String, files: [String: String] = [:], set overrides: [String] = [], only: String? = nil
) throws -> String? {
    do {
        _ = try load(yaml, files: files, set: overrides, only: only)
        return nil
    } catch let error as InputError {
        return error.message.replacing(/[^ ]*\/experiment\//, with: "")
    }
}

/// Runs Python with `input` on its standard input; returns what it prints, as JSON.
func python(_ program: String, input: JSONValue) throws -> JSONValue {
    let local = repository.appendingPathComponent(".venv/bin/python").path
    let executable = ProcessInfo.processInfo.environment["PROLOGUE_PYTHON"]
        ?? (FileManager.default.isExecutableFile(atPath: local) ? local : "python3")
    return try withFolder { folder in
        let source = folder.appendingPathComponent("input.json")
        try Data(input.canonical.utf8).write(to: source)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [executable, "-c", program]
        process.standardInput = try FileHandle(forReadingFrom: source)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "Python failed")
        return try JSONValue(parsing: data)
    }
}
