import Files
import Foundation
import Testing

/// What people get to read, and the exit code, when something is wrong.
@Suite struct MistakeTests {
    /// Arguments, and what the complaint must name. `FILE` stands for the sweep file.
    static let mistakes: [(arguments: [String], says: [String])] = [
        (["sweep", "run", "FILE", "--set", "prior.stesp=5"], ["prior.stesp", "did you mean prior.steps"]),
        (["sweep", "run", "FILE", "--set", "prior.steps=many"], ["prior.steps", "many"]),
        (["sweep", "run", "FILE", "--only", "tokenizer.varant = 'x'"], ["tokenizer.variant"]),
        (["sweep", "plan", "FILE", "--only", "arm = 'none'"], ["arm is never 'none'", "baseline"]),
        (["sweep", "status", "nowhere.yaml"], ["nowhere.yaml"]),
        (["train", "FILE", "--stage", "tokeniser"], ["tokeniser", "did you mean 'tokenizer'"]),
        (["runs", "list", "--store", "nowhere"], ["nowhere"]),
        (["runs", "list", "--limit=-1"], ["limit"]),
        (["runs", "list", "--json", "--csv"], ["--csv"]),
        (["runs", "list", "--status", "finished"], ["finished", "done"]),
        (["verify", "nowhere.safetensors"], ["nowhere.safetensors"]),
        (["sweep", "run"], ["file"]),
        (["sweeep", "run", "FILE"], ["no command 'sweeep'", "did you mean 'sweep'"]),
        (["sweep", "rnu", "FILE"], ["no command 'rnu'", "did you mean 'run'"]),
    ]

    @Test(arguments: mistakes.indices)
    func mistakesAreNamedAndExitWith2(_ index: Int) throws {
        let (arguments, says) = Self.mistakes[index]
        let place = try Workplace()
        let ended = try place.start(arguments.map { $0 == "FILE" ? place.sweep : $0 }).wait()
        #expect(ended.code == 2 && !ended.wasKilled, "\(ended)")
        #expect(ended.output.isEmpty)
        for part in says { #expect(ended.errors.contains(part), "\(arguments): \(ended.errors)") }
        expectNoTrace(ended)
    }

    /// OpenBLAS would try again for ever, deaf to signals.
    @Test func tooLittleAddressSpaceIsSaidAtTheStart() throws {
        let place = try Workplace()
        let ended = try RunningProgram(
            URL(fileURLWithPath: "/bin/bash"),
            ["-c", "ulimit -v 700000; exec \"$0\" \"$@\"", program.path, "sweep", "run", place.sweep],
            in: place.folder, environment: ["PROLOGUE_THREADS": "8", "OPENBLAS_NUM_THREADS": "2"]
        ).wait()
        #expect(ended.code == 2 && ended.errors.contains("too little memory"), "\(ended)")
    }

    @Test func anUnknownKeyIsAnErrorWithItsLine() throws {
        let place = try Workplace(sweep: tinySweep + "tokenizr: {steps: 3}\n")
        let ended = try place.run("sweep", "run", place.sweep)
        #expect(ended.code == 2)
        let line = tinySweep.split(separator: "\n", omittingEmptySubsequences: false).count
        #expect(ended.errors.contains("sweep.yaml:\(line)"), "\(ended.errors)")
        #expect(ended.errors.contains("did you mean tokenizer?"), "\(ended.errors)")
        expectNoTrace(ended)
        #expect(!FileManager.default.fileExists(atPath: place.store.path), "nothing is made for a file that is wrong")
    }

    @Test func unknownRunsNameTheNearest() throws {
        let place = try finishedSweep.get().place
        let wrong = try place.run("runs", "show", "tiny-prolouge-s0")
        #expect(wrong.code == 2)
        #expect(wrong.errors.contains("did you mean 'tiny-prologue-s0-"), "\(wrong.errors)")
        let vague = try place.run("runs", "show", "tiny-")
        #expect(vague.code == 2)
        for name in ["tiny-baseline-s0-", "tiny-prologue-s0-"] { #expect(vague.errors.contains(name), "\(vague.errors)") }
    }

    private func expectNoTrace(_ ended: Ended) {
        let text = ended.errors + ended.output
        for mark in ["Fatal error", "Stack dump", "Backtrace", "Thread 0", ".swift:", "CocoaError", "NSError"] {
            #expect(!text.contains(mark), "\(text)")
        }
    }
}

/// `--help` of every command that there is.
@Suite struct HelpTests {
    @Test func everyCommandExplainsItselfWithAnExample() throws {
        let place = try Workplace()
        let tree = try place.json("--experimental-dump-help")
        var seen = 0
        func check(_ command: JSONValue, _ path: [String]) throws {
            let name = try #require(command["commandName"]?.stringValue)
            if name == "help" { return }
            let full = path + [name]
            let help = try place.start(Array(full.dropFirst()) + ["--help"]).wait()
            #expect(help.code == 0)
            #expect(help.output.contains("OVERVIEW: "), "\(full)")
            let called = full.joined(separator: " ")
            let hasExample = help.output.split(separator: "\n").contains { line in
                // Indented, which the line of USAGE is not.
                line.hasPrefix("  ") && (line + " ").contains(called + " ")
            }
            #expect(hasExample, "no example of '\(called)' in its help:\n\(help.output)")
            seen += 1
            for inner in command["subcommands"]?.arrayValue ?? [] { try check(inner, full) }
        }
        try check(try #require(tree["command"]), [])
        #expect(seen > 10)
    }
}
