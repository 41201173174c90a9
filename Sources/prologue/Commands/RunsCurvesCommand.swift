import ArgumentParser
import Files
import Foundation
import Report
import RunStore

extension RunsCommand {
    struct Curves: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draw what training logged, in the terminal.",
            discussion: """
                All runs of a column are drawn to one scale. Works while they train.

                  prologue runs curves quickstart-prologue-s0
                  prologue runs curves quickstart-prologue-s0 --stage prior --column loss
                """)

        @Argument(help: ArgumentHelp("Runs, or the beginnings of their ids.", valueName: "run"), completion: .runs) var names: [String]
        @Option(help: "The stage: tokenizer, prior or features (default: tokenizer and prior).") var stage: String?
        @Option(help: "A column of its metrics file; may be repeated (default: loss).") var column: [String] = []
        @Option(help: "Characters across.") var width = 72
        @Option(help: "Lines of each plot.") var height = 10
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard (10...1000).contains(width), (2...200).contains(height) else {
                throw ValidationError("--width must be 10 to 1000 and --height 2 to 200, not \(width) and \(height)")
            }
        }

        func run() throws {
            let store = try store.existing()
            let runs = try names.map { try store.run(store.runID(matching: $0)) }
            let roles = stage.map { [$0] } ?? ["tokenizer", "prior"]
            var isDrawn = false
            for role in roles {
                let tables = try runs.compactMap { run -> (id: String, table: MetricsTable)? in
                    guard let id = run.stages[role] else {
                        guard stage != nil else { return nil }
                        throw InputError("\(run.id) has no stage '\(role)'; it has \(run.stages.keys.sorted().joined(separator: ", "))")
                    }
                    let file = store.stage(id: id).url("metrics.h5")
                    return FileManager.default.fileExists(atPath: file.path) ? (run.id, try MetricsFile.read(file)) : nil
                }
                for name in column.isEmpty ? ["loss"] : column { isDrawn = try draw(role, name, tables) || isDrawn }
            }
            if !isDrawn {
                throw InputError("nothing was logged by \(roles.joined(separator: " and ")) of \(names.joined(separator: ", "))")
            }
        }

        private func draw(_ role: String, _ column: String, _ tables: [(id: String, table: MetricsTable)]) throws -> Bool {
            let curves = try tables.map { id, table in
                guard let values = table.values[column] else {
                    let hint = nearest(to: column, among: table.columns).map { "; did you mean \($0)?" } ?? ""
                    throw InputError("\(role) of \(id) has no column '\(column)'\(hint) Columns: \(table.columns.joined(separator: ", "))")
                }
                return (id: id, points: zip(table.steps, values).map { (x: Double($0), y: Double($1)) })
            }
            let values = curves.flatMap { $0.points.map(\.y) }.filter(\.isFinite)
            guard let low = values.min(), let high = values.max() else { return false }
            var plot = BraillePlot()
            (plot.width, plot.height) = (width, height)
            for (id, points) in curves {
                print("\(role) \(column) of \(id), by step")
                for line in plot.lines(points, range: low...high) { print(line) }
            }
            return true
        }
    }
}
