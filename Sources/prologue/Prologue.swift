import ArgumentParser
import Files
import Foundation
import Logging
import Report
import RunStore

@main
struct Prologue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prologue",
        abstract: "Train, sample, score and compare autoregressive image generators.",
        discussion: """
            A sweep file goes in; tokenizers and AR models are trained, measured and compared.

              prologue sweep run Experiments/01-quickstart/sweep.yaml
              prologue compare Experiments/01-quickstart/sweep.yaml
              prologue verify Tests/Fixtures/prologue.safetensors

            Completion of commands, run ids, sweeps and metrics in your shell (bash; zsh and fish likewise):

              prologue --generate-completion-script bash > ~/.prologue.bash
              echo 'source ~/.prologue.bash' >> ~/.bashrc

            Exit codes: 0 done, 1 a run failed or output could not be written, 2 bad input, 130 interrupted, 141 the
            reader of the output is gone.
            """,
        version: version,
        subcommands: [
            SweepCommand.self, TrainCommand.self, CompareCommand.self, ReportCommand.self, StudyCommand.self, RunsCommand.self,
            ProbeCommand.self, SampleCommand.self, ResampleCommand.self, EditCommand.self, ScoreCommand.self, ImportCommand.self,
            ExportCommand.self,
            ServeCommand.self, PlotCommand.self, VerifyCommand.self, BenchCommand.self, CompileCommand.self, DoctorCommand.self,
            GarbageCommand.self,
            WorkerCommand.self,
        ])

    static let version = "0.1.0"

    static func main() async {
        useFasterCore()
        StandardOutput.prepare()
        bootstrapLogging()
        raiseFileLimit()
        Foundation.exit(StandardOutput.exitCode(after: await run()))
    }

    /// Returns the exit code.
    private static func run() async -> Int32 {
        do {
            try requireCommand(CommandLine.arguments.dropFirst(), of: Prologue.self)
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            return report(error)
        }
    }

    /// Diagnostics go to standard error, from the level in `PROLOGUE_LOG` on (`debug`, `info`, …; default `warning`).
    private static func bootstrapLogging() {
        let level = ProcessInfo.processInfo.environment["PROLOGUE_LOG"].flatMap { Logger.Level(rawValue: $0) } ?? .warning
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
    }

    /// Says on standard error what went wrong, in the user's words, and returns the exit code.
    private static func report(_ error: any Error) -> Int32 {
        switch error {
        case let mistake as InputError:
            complain("error: \(mistake)".printable(keepsLines: true))
            return 2
        case is Interrupted:
            complain("interrupted; run the same command to go on")
            return 130
        case let failure as CocoaError:
            let file = failure.filePath ?? failure.url?.path
            complain("error: \(file.map { "\($0): " } ?? "")\(systemReason(for: failure))")
            return 1
        default:
            // Help, version and exit codes that commands throw; mistakes in the arguments, which are bad input too.
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if code.isSuccess {
                print(text)
            } else if !text.isEmpty {
                complain(text)
            }
            return code == .validationFailure ? 2 : code.rawValue
        }
    }

    /// Workers, logs and the index each take files of their own: as many may be open as the system grants.
    private static func raiseFileLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = min(limit.rlim_max, max(limit.rlim_cur, 65536))
        setrlimit(resource, &limit)
    }
}
