import ArgumentParser
import Files
import Foundation
import Report
import RunStore

extension RunsCommand {
    struct Tag: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give runs names to find them by.",
            discussion: """
                  prologue runs tag quickstart-prologue-s0 paper figure-2
                  prologue runs tag quickstart-prologue-s0 figure-2 --remove
                """)

        @Argument(help: ArgumentHelp("Run, or the beginning of its id.", valueName: "run"), completion: .runs) var name: String
        @Argument(help: "Tags.") var tags: [String]
        @Flag(help: "Take the tags away.") var remove = false
        @OptionGroup var store: StoreOptions

        func validate() throws {
            if let tag = tags.first(where: { tag in tag.isEmpty || tag.contains { $0.isWhitespace } }) {
                throw ValidationError("a tag is one word, not '\(tag)'")
            }
        }

        func run() throws {
            let store = try store.existing()
            let id = try store.runID(matching: name)
            try store.annotate(run: id) { annotations in
                if remove { annotations.tags.subtract(tags) } else { annotations.tags.formUnion(tags) }
            }
            try RunsCommand.index(of: store).refresh(run: id)
            let all = try store.annotations(ofRun: id).tags.sorted().joined(separator: ", ")
            print("\(id): \(all.isEmpty ? "no tags" : all)")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove runs, and the stages that no other run uses; shows them first.",
            discussion: """
                Without --yes nothing is removed. Stages that another run names, or that one of its stages was made from,
                stay. A run that a process is working on is left alone.

                  prologue runs rm quickstart-prologue-s0
                  prologue runs rm quickstart-prologue-s0 --yes
                """)

        @Argument(help: ArgumentHelp("Runs, or the beginnings of their ids.", valueName: "run"), completion: .runs) var names: [String]
        @Flag(help: "Remove what is shown.") var yes = false
        @Flag(help: "Remove the runs alone, leave all stages.") var keepStages = false
        @OptionGroup var store: StoreOptions

        func run() throws {
            let store = try store.existing()
            let removal = try Removal(of: names.map(store.runID(matching:)), withStages: !keepStages, in: store)
            for (run, reason) in removal.leftAlone { print("left alone: \(run): \(reason)") }
            for run in removal.runs { print("run    \(run)") }
            for stage in removal.stages { print("stage  \(stage.id)  \(Self.size(stage.bytes))") }
            print(
                "\(removal.runs.count) runs, \(removal.stages.count) stages, \(Self.size(removal.bytes)); "
                    + "\(removal.sharedStages) stages stay because other runs use them")
            guard yes else { return print("nothing was removed; --yes removes this") }
            try store.requireWritable()
            let removed = try removal.perform()
            let index = try RunsCommand.index(of: store)
            for stage in removed.stages { try index.refresh(stage: stage.id) }
            for run in removed.runs { try index.refresh(run: run) }
            let isAll = removed.runs == removal.runs && removed.stages.count == removal.stages.count
            print(
                isAll
                    ? "removed"
                    : "removed \(removed.runs.count) runs and \(removed.stages.count) stages; the others are in use by now")
        }

        private static func size(_ bytes: Int) -> String {
            bytes < 1 << 20 ? String(format: "%.1f KiB", Double(bytes) / 1024) : String(format: "%.1f MiB", Double(bytes) / 1_048_576)
        }
    }
}
