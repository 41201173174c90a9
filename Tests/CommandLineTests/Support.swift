import Files
import Foundation
import TestSupport
import Testing

/// The program under test: built beside the tests, else in the usual place.
let program: URL = {
    let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let beside = tests.deletingLastPathComponent().appendingPathComponent("prologue")
    return FileManager.default.isExecutableFile(atPath: beside.path)
        ? beside : packageRoot.appendingPathComponent(".build/release/prologue")
}()

/// A sweep of two arms that runs in seconds and needs no data.
let tinySweep = (try? String(contentsOf: packageRoot.appendingPathComponent("Tests/Fixtures/tiny.yaml"), encoding: .utf8)) ?? ""

/// A sweep of one run that ends in no time, and needs no files.
func tinyRun(images: Int, steps: Int, samples: Int, _ more: String) -> String {
    """
    name: tiny
    data: {set: shapes, image_size: 16, train_count: \(images), test_count: \(images / 2)}
    features: {width: 8, dim: 16, steps: \(steps), batch: 16}
    tokenizer:
      {patch: 4, dim: 32, layers: 1, heads: 1, codebook: 32, prologue_tokens: 2, prologue_codebook: 8,
       joint_ar: {dim: 32, layers: 1, heads: 1}, steps: \(steps), batch: 16, optimizer: {warmup: \(steps / 2)}}
    prior: {dim: 32, layers: 1, heads: 1, steps: \(steps), batch: 16, optimizer: {warmup: \(steps / 2)}}
    sampling: {count: \(samples)}
    \(more)

    """
}

/// A folder with a sweep file in it and room for a store; removed when the object goes.
final class Workplace: Sendable {
    let folder: URL
    var sweep: String { folder.appendingPathComponent("sweep.yaml").path }
    var store: URL { folder.appendingPathComponent("store") }

    init(sweep text: String = tinySweep) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("command-line-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: folder.appendingPathComponent("sweep.yaml"))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Starts the program on this folder's store.
    func start(_ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram {
        let environment = ["PROLOGUE_STORE": store.path].merging(environment) { $1 }
        return try RunningProgram(program, arguments, in: folder, environment: environment)
    }

    @discardableResult
    func run(_ arguments: String..., environment: [String: String] = [:]) throws -> Ended {
        try start(arguments, environment: environment).wait()
    }

    /// Runs a command that must succeed and reads what it printed as JSON.
    func json(_ arguments: String...) throws -> JSONValue { try json(arguments) }

    func json(_ arguments: [String]) throws -> JSONValue {
        let ended = try start(arguments).wait()
        try #require(ended.code == 0, "\(arguments): \(ended.errors)")
        return try JSONValue(parsing: Data(ended.output.utf8))
    }

    /// Runs Python code with h5py and sqlite3 at hand; the store's path is `sys.argv[1]`, and what follows comes after it.
    func python(_ code: String, _ arguments: String...) throws -> String {
        try TestSupport.python(code, arguments: [store.path] + arguments, in: folder)
    }

    /// The folders of the stages of a kind.
    func stages(_ kind: String) -> [URL] {
        let stages = store.appendingPathComponent("stages")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: stages.path)) ?? []
        return names.filter { $0.hasPrefix("\(kind)-") }.sorted().map { stages.appendingPathComponent($0) }
    }
}

/// How a program ended.
struct Ended {
    let code: Int32
    /// Ended by a signal, whose number `code` then is.
    let wasKilled: Bool
    let output, errors: String
}

/// A program that is running; its output goes to files, so that it never waits for us.
final class RunningProgram {
    private let process = Process()
    private let output, errors: URL

    init(_ program: URL, _ arguments: [String], in folder: URL, environment: [String: String] = [:]) throws {
        let name = UUID().uuidString
        output = folder.appendingPathComponent("\(name).out")
        errors = folder.appendingPathComponent("\(name).err")
        for file in [output, errors] { try Data().write(to: file) }
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
    }

    var isRunning: Bool { process.isRunning }
    var identifier: Int32 { process.processIdentifier }

    /// What it has printed so far.
    var printed: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    func wait() throws -> Ended {
        process.waitUntilExit()
        return Ended(
            code: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
            output: try String(contentsOf: output, encoding: .utf8),
            errors: try String(contentsOf: errors, encoding: .utf8))
    }

    /// Waits while the program runs until `condition` holds; returns whether it came to hold.
    func waits(until condition: () -> Bool) -> Bool {
        while process.isRunning {
            if condition() { return true }
            Thread.sleep(forTimeInterval: 0.01)
        }
        return condition()
    }
}

/// The tiny sweep, run twice, for all tests that only look at its results.
let finishedSweep: Result<(place: Workplace, first: Ended, second: Ended), any Error> = Result {
    let place = try Workplace()
    let (first, second) = (try place.run("sweep", "run", place.sweep), try place.run("sweep", "run", place.sweep))
    return (place, first, second)
}
