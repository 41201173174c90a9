import Files
import Foundation

extension Store {
    private func notesFile(ofSweep name: String) -> URL { directory.appendingPathComponent("sweeps/\(name).notes.json") }

    /// What people have said about a sweep as a whole; nothing where there is none.
    public func notes(ofSweep name: String) throws -> [Annotations.Note] { try RecordFile.read(notesFile(ofSweep: name)) ?? [] }

    /// Changes the notes of a sweep; two processes that do so take turns.
    public func annotate(sweep name: String, _ change: (inout [Annotations.Note]) -> Void) throws {
        let file = notesFile(ofSweep: name)
        try RecordFile.makeDirectory(file.deletingLastPathComponent())
        try exclusively(file.deletingLastPathComponent().appendingPathComponent(".\(name).notes.lock")) {
            var notes = try notes(ofSweep: name)
            change(&notes)
            try RecordFile.write(notes, to: file)
        }
    }
}
