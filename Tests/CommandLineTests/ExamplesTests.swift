import Files
import Foundation
import TestSupport
import Testing

/// Examples of `--help` can be copied, and then work.
@Suite struct ExamplesTests {
    /// Every example of every command, lines that go on joined.
    private func examples() throws -> [(command: String, lines: [String])] {
        let dump = try Workplace().json("--experimental-dump-help")
        var found: [(String, [String])] = []
        func visit(_ command: JSONValue) {
            var isOpen = false
            for line in command["discussion"]?.stringValue?.split(separator: "\n").map(String.init) ?? [] {
                if isOpen {
                    found[found.count - 1].1.append(line)
                } else if line.hasPrefix("  prologue ") {
                    found.append((command["commandName"]?.stringValue ?? "", [line]))
                } else {
                    continue
                }
                isOpen = line.hasSuffix("\\")
            }
            for sub in command["subcommands"]?.arrayValue ?? [] where sub["commandName"] != "help" { visit(sub) }
        }
        visit(try #require(dump["command"]))
        return found
    }

    /// Help is folded to the terminal: a longer line would come apart.
    @Test func examplesFitALine() throws {
        let examples = try examples()
        #expect(examples.count > 40)
        for line in examples.flatMap(\.lines) { #expect(line.count <= 80, "\(line)") }
    }

    /// What an example needs that is not in the repository, or how long it takes, keeps it from being run here.
    private static let skipped = [
        "bench", "compile", "worker", "verify", "score", "import ar-xl", "probe --features", "study", "train", "serve",
        "generate-completion",
        "compare sweep.yaml --variance", "edit", "sweep run sweep.yaml --on ", "sweep join",
        "sweep run sweep.yaml --on-end",
    ]
    /// Some make what others need, some remove it, and some make a second run with the beginning of another's id.
    private static let turns = [
        ["prologue runs tag", "prologue export"], [], ["prologue gc", "prologue runs rm"], ["prologue sweep run"],
    ]

    @Test func examplesWork() throws {
        let sweep = tinySweep.replacing("name: tiny", with: "name: quickstart")
            .replacing("  baseline: {tok", with: "  baseline-2d: {tok").replacing("{arm: baseline}", with: "{arm: baseline-2d}")
        let place = try Workplace(sweep: sweep)
        let experiments = place.folder.appendingPathComponent("Experiments")
        for name in ["00-smoke", "01-quickstart"] {
            let folder = experiments.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(sweep.utf8).write(to: folder.appendingPathComponent("sweep.yaml"))
        }
        try FileManager.default.createSymbolicLink(
            at: experiments.appendingPathComponent("presets"),
            withDestinationURL: packageRoot.appendingPathComponent("Experiments/presets"))
        try FileManager.default.copyItem(
            at: finishedSweep.get().place.store.appendingPathComponent("stages"), to: place.folder.appendingPathComponent("stages"))
        try FileManager.default.createDirectory(at: place.store.appendingPathComponent("runs"), withIntermediateDirectories: true)
        try FileManager.default.moveItem(
            at: place.folder.appendingPathComponent("stages"), to: place.store.appendingPathComponent("stages"))
        #expect(try place.run("sweep", "run", place.sweep, "-q", "--workers", "1").code == 0)

        var commands: [String] = []
        for example in try examples() {
            let text = example.lines.map { $0.hasSuffix("\\") ? String($0.dropLast()) : $0 }.joined(separator: " ")
                .trimmingCharacters(in: .whitespaces)
            if !commands.contains(text), !Self.skipped.contains(where: { text.hasPrefix("prologue \($0)") || text.contains("--\($0)") }) {
                commands.append(text)
            }
        }
        func turn(of command: String) -> Int {
            Self.turns.firstIndex { $0.contains(where: command.hasPrefix) } ?? 1
        }
        for command in Self.turns.indices.flatMap({ now in commands.filter { turn(of: $0) == now } }) {
            let words = command.replacing("prologue ", with: "\"$PROGRAM\" ", maxReplacements: 1)
            let ended = try RunningProgram(
                URL(fileURLWithPath: "/bin/sh"), ["-c", words], in: place.folder,
                environment: ["PROGRAM": program.path, "PROLOGUE_STORE": place.store.path]
            ).wait()
            #expect(ended.code == 0, "\(command): \(ended.errors)")
        }
    }

    /// What the shells ask for when a name is to be completed.
    @Test func namesAreCompleted() throws {
        let place = try finishedSweep.get().place
        let script = try place.run("--generate-completion-script", "bash")
        #expect(script.code == 0 && script.output.contains("complete "))
        let runs = try place.json("runs", "list", "--json")["rows"]?.arrayValue?.compactMap { $0["run"]?.stringValue } ?? []
        func offered(_ arguments: String...) throws -> [String] {
            let ended = try place.start(["---completion"] + arguments, environment: ["SAP_SHELL": "bash"]).wait()
            #expect(ended.code == 0, "\(ended.errors)")
            return ended.output.split(separator: "\n").map(String.init)
        }
        #expect(try Set(offered("runs", "show", "--", "positional@0", "3", "0", "prologue", "runs", "show", "")) == Set(runs))
        #expect(try offered("runs", "list", "--", "--sweep", "4", "0", "prologue", "runs", "list", "--sweep", "").contains("tiny"))
        let metrics = try offered("compare", "--", "--metric", "3", "0", "prologue", "compare", "--metric", "")
        #expect(metrics.contains("gfid.nocfg") && metrics.contains("gfid@shapes-cnn.nocfg") && metrics.contains("rfid"))
        let elsewhere = try offered(
            "runs", "show", "--", "positional@0", "5", "0", "prologue", "runs", "show", "--store", "/nowhere", "")
        #expect(elsewhere.isEmpty)
    }
}
