import ArgumentParser
import Files
import Foundation
import Report
import RunStore

struct GarbageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Show what the store could do without, and remove it.",
        discussion: """
            Without --yes nothing is removed. What a run refers to is never removed, nor what a process works on; \
            'prologue runs rm' makes a run's stages garbage where no other run refers to them.

              prologue gc
              prologue gc --checkpoints --yes
            """)

    @Flag(help: "Also checkpoints that finished stages have kept (keep_checkpoints).") var checkpoints = false
    @Flag(help: "Also caches of decoded pictures (data.cache).") var caches = false
    @Flag(help: "Remove it.") var yes = false
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: TableOptions

    func run() throws {
        let store = try store.existing()
        let found = try store.garbage(checkpoints: checkpoints, caches: caches)
        guard yes else {
            let hint = found.items.isEmpty ? "nothing to remove" : "nothing is removed without --yes"
            return show(found, "\(summary(found)); \(hint)", removed: false)
        }
        try store.requireWritable()
        let removed = try store.remove(found)
        // The index follows the files; where it cannot, 'runs reindex' makes it again.
        if removed.items.contains(where: { $0.kind == .stage }) { try RunsCommand.index(of: store).reindex() }
        show(removed, "removed: \(summary(removed))", removed: true)
    }

    private func summary(_ garbage: Garbage) -> String {
        let counts = Garbage.Kind.allCases.compactMap { kind in
            let count = garbage.items.count { $0.kind == kind }
            return count == 0 ? nil : "\(count) × \(kind.rawValue)"
        }
        return (counts.isEmpty ? ["0 items"] : counts).joined(separator: ", ") + ", \(Self.size(garbage.bytes))"
    }

    private func show(_ garbage: Garbage, _ footnote: String, removed: Bool) {
        var table = Table(columns: [
            .text("what"), .text("path"), .number("size", key: "bytes", unit: "KiB", decimals: 0), .text("why"),
        ])
        for item in garbage.items {
            table.add([.text(item.kind.rawValue), .text(item.path), .number(Double(item.bytes) / 1024), .text(item.why)])
        }
        table.add(footnote: footnote)
        output.show(
            table,
            json: [
                "removed": .bool(removed), "bytes": .int(garbage.bytes),
                "items": .array(
                    garbage.items.map { item in
                        [
                            "what": .string(item.kind.rawValue), "path": .string(item.path), "bytes": .int(item.bytes),
                            "why": .string(item.why),
                        ]
                    }),
            ])
    }

    private static func size(_ bytes: Int) -> String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (Double(bytes), 0)
        while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
        return unit == 0 ? "\(bytes) bytes" : String(format: "%.1f %@", value, units[unit])
    }
}
