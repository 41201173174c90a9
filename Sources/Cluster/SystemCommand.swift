import Files
import Foundation

/// A program of the system that answers with text.
struct SystemCommand {
    let program: String

    /// A scheduler that does not answer for so long, in seconds, is out of order.
    private static let patience = 60

    struct Answer {
        let output, errors: String
        let code: Int32
    }

    /// Its full path; nil where this machine has none.
    static func path(of program: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// - Throws: an `InputError` where the program is missing, or fails.
    func run(_ arguments: [String]) throws -> String {
        let answer = try attempt(arguments)
        guard answer.code == 0 else {
            let reason = answer.errors.isEmpty ? "it ended with code \(answer.code)" : answer.errors
            throw InputError("\(program): \(reason)")
        }
        return answer.output
    }

    func attempt(_ arguments: [String]) throws -> Answer {
        guard let path = Self.path(of: program), let timeout = Self.path(of: "timeout") else {
            throw InputError("\(program) is not on this machine: Slurm's commands are needed to talk to its cluster")
        }
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: timeout)
        process.arguments = ["\(Self.patience)", path] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        do { try process.run() } catch { throw InputError(file: path, cannot: "start", because: error) }
        // Errors are short, so that the pipe holds them while the output is read.
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let code = process.terminationStatus
        return Answer(
            output: Self.text(printed), errors: code == 124 ? "no answer within \(Self.patience) seconds" : Self.text(said), code: code)
    }

    private static func text(_ data: Data) -> String {
        String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
