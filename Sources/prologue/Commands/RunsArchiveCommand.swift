import ArgumentParser
import Experiment
import Files
import Foundation
import Report
import RunStore
import Sweep

extension RunsCommand {
    struct Archive: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a sweep's finished runs into one small file: records, settings, scores; no weights, no pictures.",
            discussion: """
                The file is FILE.runs.zip beside FILE.yaml. There, commands on the sweep find it by themselves, and 'sweep run' counts \
                its runs as done: put it under version control, and a study goes on on another machine with what is missing. Runs that \
                it has already stay in it. --check reads it whole, compares it with the store where both have a stage, and says what \
                it lacks.

                  prologue runs archive Experiments/01-quickstart/sweep.yaml
                  prologue runs archive Experiments/01-quickstart/sweep.yaml --check
                  prologue compare Experiments/01-quickstart/sweep.yaml
                """)

        @OptionGroup var sweep: SweepCommand.FileOptions
        @Option(help: "File to write (default: FILE.runs.zip beside FILE.yaml).", completion: .file(extensions: ["zip"])) var output:
            String?
        @Flag(help: "Write nothing: is the file whole, does the store agree, what does it lack?") var check = false
        @Option(help: "Whose numbers count where the archive has other ones than the store.") var trust: TrustedRecords?
        @OptionGroup var store: StoreOptions

        func run() throws {
            let file = try sweep.load()
            let url = output.map { URL(fileURLWithPath: $0) } ?? ArchiveOptions.file(beside: sweep.file)
            let isThere = try isPresent(url)
            if check, !isThere {
                throw InputError(file: url.path, "there is no archive here; 'prologue runs archive' without --check makes it")
            }
            let here = try isThere && check ? Store(directory: store.directory) : store.existing()
            let store = try isThere ? here.reading(RunArchive(reading: url), trusting: trust) : here
            let cells = try file.cells.map { try store.runID(of: $0, in: file.name) }
            let finished = try cells.filter { id in try here.runIDs().contains(id) && here.status(ofRun: id).state == .done }
            let kept = store.archive?.runIDs ?? []
            if check { return try report(kept, finished: finished, cells: cells, url, store) }
            let runs = kept.union(finished)
            guard !runs.isEmpty else { throw InputError("no run of '\(file.name)' is finished; 'prologue sweep run' makes them") }
            let count = try RunArchive.write(runs, of: file.name, in: store, to: url)
            let bytes = try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int ?? 0
            let new = runs.subtracting(kept).count
            print("\(url.path): \(count.runs) runs (\(new) new), \(count.stages) stages, \(Units.bytes(Double(bytes)))")
            let open = cells.filter { !runs.contains($0) }
            if !open.isEmpty { print("left out: \(open.count) of \(cells.count) runs that are not finished") }
        }

        /// Every record is read; what differs from the store was an error before.
        private func report(_ kept: Set<String>, finished: [String], cells: [String], _ url: URL, _ store: Store) throws {
            guard let archive = store.archive else { return }
            for id in archive.runIDs.sorted() { _ = try archive.run(id) }
            for id in archive.stageIDs.sorted() { _ = try archive.stage(id) }
            print(
                "\(url.path): whole, \(kept.count) runs, \(archive.stageIDs.count) stages; \(cells.count { kept.contains($0) }) of the sweep's "
                    + "\(cells.count) runs are in it")
            let missing = finished.filter { !kept.contains($0) }
            guard !missing.isEmpty else { return }
            complain("\(missing.count) finished runs of the store are not in it: \(missing.prefix(8).joined(separator: ", "))")
            throw ExitCode(1)
        }
    }
}
