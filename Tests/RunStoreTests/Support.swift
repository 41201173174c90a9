import Files
import Foundation
import Synchronization
import Testing

/// A folder of its own for a test, removed afterwards.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = makeTemporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// The same for a test that waits for a child process.
func withTemporaryFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let folder = makeTemporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

private func makeTemporaryFolder() -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("run-store-\(UUID().uuidString)")
    guard (try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)) != nil else {
        preconditionFailure("cannot make \(folder.path)")
    }
    return folder
}

/// The error's text if `body` throws an `InputError`; a test failure otherwise.
func inputError(_ body: () throws -> Void) throws -> String {
    try #require(throws: InputError.self, performing: body).message
}

private struct CommandFailed: Error, CustomStringConvertible {
    let description: String
}

/// Runs a program to its end and returns what it printed.
@discardableResult
func run(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    let errors = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CommandFailed(description: "\(program) failed: \(complaint)") }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
}

let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// Runs Python code with h5py, numpy and pandas at hand and returns what it printed.
@discardableResult
func python(_ code: String, _ arguments: String...) throws -> String { try python(code, arguments) }

private func python(_ code: String, _ arguments: [String]) throws -> String {
    let own = packageRoot.appendingPathComponent(".venv/bin/python").path
    let interpreter =
        ProcessInfo.processInfo.environment["PROLOGUE_PYTHON"]
        ?? (FileManager.default.isExecutableFile(atPath: own) ? own : "python3")
    return try run(interpreter, ["-c", code] + arguments)
}

/// Starts Python code, does `body` beside it, and returns what the code printed in the end. Both hold their threads: a test
/// that gave its thread up meanwhile might get it back minutes later, when others have done their waiting.
func python(_ code: String, _ arguments: [String], while body: () throws -> Void) throws -> String {
    let result = Mutex<Result<String, any Error>?>(nil)
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
        let found = Result { try python(code, arguments) }
        result.withLock { $0 = found }
        done.signal()
    }
    try body()
    done.wait()
    return try result.withLock { try $0!.get() }
}

/// Holds the thread until the file is there.
func awaitFile(_ path: String) {
    while !FileManager.default.fileExists(atPath: path) { usleep(5000) }
}

/// Whether this process may mount file systems, which the tests of full and read-only disks need.
let canMount: Bool = {
    let folder = makeTemporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    guard (try? run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path])) != nil else { return false }
    return (try? run("umount", [folder.path])) != nil
}()

/// A small file system of its own.
func withMountedFolder(kilobytes: Int, _ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
        try run("mount", ["-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", folder.path])
        defer { _ = try? run("umount", ["-l", folder.path]) }
        try body(folder)
    }
}
