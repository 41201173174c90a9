import ArgumentParser
import Experiment
import Files
import Foundation
import Report
import Settings

struct EditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit", abstract: "Draw part of a picture anew, or all of it as another class, with a finished run's models.",
        discussion: """
            What the mask has light is drawn, in whole patches; the other tokens are the picture's own. With its prologue the picture \
            keeps what that says, and the class asked for bears on the rest; --draw-prologue draws that too. The scores say what \
            stays and what changes.

              prologue edit quickstart-prologue-s0 --image shoe.png --mask heel.png
              prologue edit quickstart-prologue-s0 --image shoe.png --class Bag
            """)

    @Argument(help: "Run id, or the beginning of one.", completion: .runs) var run: String
    @Option(help: "The picture, PNG or JPEG; its middle is taken.") var image: String
    @Option(help: "What is to change: a picture of the same size, light there (default: everything).") var mask: String?
    @Option(name: .customLong("class"), help: "Class asked for, by name or number (default: none).") var label: String?
    @Flag(help: "Draw the prologue anew instead of keeping the picture's.") var drawPrologue = false
    @Option(help: "Edits to draw.") var count = 8
    @Option(help: "Temperature.") var temperature = 1.0
    @Option(help: "Guidance scale (0: off).") var guidance = 0.0
    @Option(help: "Seed of the draws.") var seed = 0
    @Option(name: .shortAndLong, help: "Where the picture of all goes.") var picture = "edit.png"
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: TableOptions

    func run() async throws {
        Interruption.listen()
        let context = try store.context()
        let editing = try RunEditing(context.run(run).id, context)
        var request = RunEditing.Request()
        request.label = try label.map { try number(of: $0, among: editing.classNames) }
        (request.keepsPrologue, request.count, request.seed) = (!drawPrologue, count, seed)
        request.sampler.temperature = temperature
        request.sampler.guidance.scale = guidance
        let edited = try editing.edit(URL(fileURLWithPath: image), mask: mask.map { URL(fileURLWithPath: $0) }, request)
        if let sheet = edited.sheet(title: label.map { "asked for \($0)" } ?? "") {
            try AtomicFile.write(sheet, to: URL(fileURLWithPath: picture))
        }
        var table = Table(columns: [
            .number("edits", decimals: 0), .number("tokens\nkept", key: "kept", decimals: 0),
            .number("tokens\ndrawn", key: "drawn", decimals: 0),
            .number("drawn tokens\nthat changed", key: "changed_tokens", decimals: 3),
            .number("difference\nwhere kept", key: "stays", unit: "level"), .number("where\ndrawn", key: "changes", unit: "level"),
            .number("to the picture\nwhere kept", key: "stays_like_original", unit: "level"),
            .text("taken for\nbefore", key: "named_before"),
            .number("taken for\nclass asked", key: "named_as_asked", decimals: 3),
        ])
        table.add([
            .number(edited.count), .number(edited.kept), .number(edited.drawn), .number(edited.changedTokens), .number(edited.stays),
            .number(edited.changes), .number(edited.staysLikeOriginal), edited.namedBefore.map { .text($0) } ?? .missing,
            .number(edited.namedAsAsked),
        ])
        table.add(
            footnote:
                "differences are means of |edit − reconstruction| over pixels in levels of 0…255, in patches whose token was kept or drawn; a decoder "
                + "looks at all tokens, so that kept patches may change a little")
        output.show(table)
        if output.format == nil { print("picture: \(picture)") }
    }

    private func number(of text: String, among names: [String]) throws -> Int {
        if let place = names.firstIndex(of: text) ?? names.firstIndex(where: { $0.lowercased() == text.lowercased() }) { return place }
        if let number = Int(text), names.indices.contains(number) { return number }
        let hint = nearest(to: text, among: names).map { "; did you mean '\($0)'?" } ?? ""
        throw InputError("--class: the run knows no class '\(text)'; there are 0 to \(names.count - 1)\(hint)")
    }
}
