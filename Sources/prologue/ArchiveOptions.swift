import ArgumentParser
import Files
import Foundation
import RunStore

extension TrustedRecords: ExpressibleByArgument {}

/// Options of the commands that read an archive of runs beside the store.
struct ArchiveOptions: ParsableArguments {
    @Option(
        help: "Archive of finished runs to read beside the store; none for none (default: FILE.runs.zip beside a sweep file FILE.yaml).",
        completion: .file(extensions: ["zip"]))
    var archive: String?
    @Option(help: "Whose numbers count where the archive has other ones than the store.") var trust: TrustedRecords?

    /// The archive of a sweep file, where none is named.
    static func file(beside sweep: String) -> URL {
        URL(fileURLWithPath: sweep).deletingPathExtension().appendingPathExtension("runs.zip")
    }

    /// `store` with the archive that is named, or else with the one beside the sweep file.
    func attached(to store: Store, beside sweep: String? = nil) throws -> Store {
        guard let url = try url(beside: sweep) else { return store }
        return try store.reading(RunArchive(reading: url), trusting: trust)
    }

    /// The store, for commands that only look at it. Where there is none, an archive alone will do.
    func existing(_ options: StoreOptions, beside sweep: String? = nil) throws -> Store {
        try attached(to: url(beside: sweep) == nil ? options.existing() : Store(directory: options.directory), beside: sweep)
    }

    /// The path of the archive that is read; nil where there is none.
    func path(beside sweep: String) throws -> String? { try url(beside: sweep)?.path }

    private func url(beside sweep: String?) throws -> URL? {
        if archive == "none" { return nil }
        if let archive { return URL(fileURLWithPath: archive) }
        let usual = sweep.map(Self.file(beside:))
        return try usual.flatMap { try isPresent($0) ? $0 : nil }
    }
}
