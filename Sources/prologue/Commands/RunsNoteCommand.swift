import ArgumentParser
import Files
import Foundation
import Report
import RunStore

extension RunsCommand {
    struct Note: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write down something about a run or a sweep, or read what was written.",
            discussion: """
                  prologue runs note quickstart-prologue-s0 "looks blurred at the edges"
                  prologue runs note quickstart-prologue-s0
                  prologue runs note quickstart-prologue-s0 --remove 1
                  prologue runs note --sweep quickstart "the second seed was interrupted twice"
                """)

        @Argument(
            help: ArgumentHelp("Run, or the beginning of its id, and the note; without one, those there are are shown.", valueName: "run"),
            completion: .runs)
        var words: [String] = []
        @Option(help: "A sweep instead of a run.", completion: .sweeps) var sweep: String?
        @Option(help: ArgumentHelp("Take away the note of this number.", valueName: "number")) var remove: Int?
        @OptionGroup var store: StoreOptions

        private var text: String {
            (sweep == nil ? words.dropFirst() : words[...]).joined(separator: " ").trimmingCharacters(in: .whitespacesAndNewlines)
        }

        func validate() throws {
            if sweep == nil, words.isEmpty { throw ValidationError("name a run, or a sweep with --sweep") }
            if remove != nil, !text.isEmpty { throw ValidationError("either a note or --remove, not both") }
        }

        func run() throws {
            let store = try store.existing()
            guard let sweep else {
                let id = try store.runID(matching: words[0])
                let isChanged = try edit(called: id, notes: store.annotations(ofRun: id).notes) { change in
                    try store.annotate(run: id) { change(&$0.notes) }
                }
                if isChanged { try RunsCommand.index(of: store).refresh(run: id) }
                return show(id, try store.annotations(ofRun: id).notes)
            }
            let sweeps = try RunsCommand.index(of: store).query("SELECT DISTINCT sweep FROM runs").rows.compactMap { $0[0].stringValue }
            guard sweeps.contains(sweep) else {
                let hint = nearest(to: sweep, among: sweeps).map { "; did you mean '\($0)'?" } ?? ""
                throw InputError("no run of a sweep '\(sweep)'\(hint)")
            }
            _ = try edit(called: sweep, notes: store.notes(ofSweep: sweep)) { try store.annotate(sweep: sweep, $0) }
            show(sweep, try store.notes(ofSweep: sweep))
        }

        /// Adds and removes tags and notes as asked; returns whether anything was asked for.
        private func edit(
            called name: String, notes: [Annotations.Note], _ write: (@escaping (inout [Annotations.Note]) -> Void) throws -> Void
        ) throws -> Bool {
            if let remove {
                guard notes.indices.contains(remove - 1) else {
                    throw InputError("\(name) has \(notes.isEmpty ? "no notes" : "notes 1 to \(notes.count)"), so no note \(remove)")
                }
                try write { if $0.indices.contains(remove - 1) { $0.remove(at: remove - 1) } }
            } else if !text.isEmpty {
                let note = text
                try write { $0.append(.init(text: note)) }
            } else {
                return false
            }
            return true
        }

        private func show(_ name: String, _ notes: [Annotations.Note]) {
            print(notes.isEmpty ? "\(name): no notes" : "\(name):")
            for (number, note) in notes.enumerated() {
                print("\(number + 1). \(note.written.ISO8601Format()): \(note.text.printable(keepsLines: true))")
            }
        }
    }
}
