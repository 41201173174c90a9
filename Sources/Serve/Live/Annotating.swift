import Files
import Foundation
import RunStore

/// Notes and tags that are written in the browser.
struct Annotating {
    private let live: LiveStore

    init(_ live: LiveStore) { self.live = live }

    private static let longestNote = 10_000

    /// `text` for a new note, `remove` with the number of one, or both to replace it.
    func note(_ form: [String: String], run: String) throws {
        let text = (form["text"] ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
        let number = form["remove"].flatMap(Int.init)
        guard !text.isEmpty || number != nil else { throw InputError("The note is empty.") }
        guard text.count <= Self.longestNote else { throw InputError("A note may have \(Self.longestNote) letters.") }
        let count = try live.store.annotations(ofRun: run).notes.count
        if let number, !(1...max(1, count)).contains(number) || count == 0 { throw InputError("There is no note \(number).") }
        try live.store.annotate(run: run) { annotations in
            if let number, annotations.notes.indices.contains(number - 1) {
                if text.isEmpty { annotations.notes.remove(at: number - 1) } else { annotations.notes[number - 1].text = text }
            } else if number == nil {
                annotations.notes.append(.init(text: text))
            }
        }
        try live.index.refresh(run: run)
    }

    /// `add` or `remove` with a tag.
    func tag(_ form: [String: String], run: String) throws {
        let (added, removed) = (form["add"] ?? "", form["remove"] ?? "")
        guard !added.isEmpty || !removed.isEmpty else { throw InputError("The tag is empty.") }
        if !added.isEmpty, added.wholeMatch(of: /[\p{L}\p{N}_.\-]{1,64}/) == nil {
            throw InputError("A tag is a word of letters, digits, '_', '.' and '-', not '\(added)'.")
        }
        try live.store.annotate(run: run) { annotations in
            if !added.isEmpty { annotations.tags.insert(added) }
            annotations.tags.remove(removed)
        }
        try live.index.refresh(run: run)
    }
}
