import ArgumentParser
import Files
import Foundation
import Report
import RunStore
import Settings

extension RunsCommand {
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one run: settings, seeds, stages, every metric with its protocol, pictures.",
            discussion: """
                  prologue runs show quickstart-prologue-s0
                  prologue runs show quickstart-prologue-s0 --json
                """)

        @Argument(help: ArgumentHelp("Run, or the beginning of its id.", valueName: "run"), completion: .runs) var name: String
        @Flag(help: "Print JSON.") var json = false
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions

        func run() throws {
            let store = try archive.existing(store)
            let description = try RunDescription(of: store.runID(matching: name), in: store)
            print(json ? description.json.pretty : description.text.printable(keepsLines: true), terminator: "")
        }
    }
}

/// All there is to know about a run, from its files.
private struct RunDescription {
    let run: RunRecord
    let status: RunStore.Status
    let annotations: Annotations
    let artifacts: [Artifact]
    let stages: [(role: String, entry: IndexedStage, state: String)]
    let note: String?
    let metrics: [(name: String, value: Double?, protocolName: String, stage: String)]
    let protocols: [(stage: String, name: String, content: JSONValue)]
    let directory: URL

    init(of id: String, in store: Store) throws {
        guard let entry = try store.entry(ofRun: id) else { throw InputError("no run '\(id)' in \(store.directory.path)") }
        (run, status, annotations, artifacts) = (entry.run, entry.status, entry.annotations, entry.artifacts)
        directory = store.directory
        stages = try run.stages.sorted { $0.key < $1.key }.map { role, stage in
            let isHere = try store.stage(id: stage).isComplete
            let entry = try store.entry(ofStage: stage) ?? IndexedStage(id: stage, record: nil)
            let state = isHere ? "done" : entry.record != nil ? "archived" : entry.status?.state.rawValue ?? "planned"
            return (role, entry, state)
        }
        note = try store.archiveNote(for: [id])
        let measured = stages.flatMap { stage in
            stage.entry.measurements.sorted { $0.key < $1.key }.map { (stage.entry.id, $0.key, $0.value) }
        }
        protocols = measured.map { ($0.0, $0.1, $0.2.protocol) }
        metrics = measured.flatMap { stage, name, scores in
            scores.values.map { ($0.key, $0.value, name, stage) }
        }.sorted { ($0.name, $0.protocolName) < ($1.name, $1.protocolName) }
    }

    /// Settings that are not at their defaults, by dotted path.
    private var changedSettings: [(path: String, value: JSONValue)] {
        func visit(_ value: JSONValue, _ path: String) -> [(String, JSONValue)] {
            switch Schema.node(at: path) {
            case .setting(let setting)?:
                let isBookkeeping = path == "seed" || path.hasPrefix("seeds.")
                return isBookkeeping || setting.default == value ? [] : [(path, value)]
            case nil where !path.isEmpty: return [(path, value)]
            default:
                return (value.objectValue ?? [:]).sorted { $0.key < $1.key }
                    .flatMap { visit($1, path.isEmpty ? $0 : "\(path).\($0)") }
            }
        }
        return visit(run.config, "")
    }

    var text: String {
        let code = run.codeVersion
        let seeds = run.seeds.filter { $0.key != "run" }.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let machine = run.machine
        var lines = [
            "\(run.id): \(status.state.rawValue)\(status.message.isEmpty ? "" : " (\(status.message))")",
            "sweep \(run.sweep), cell \(run.cell), seed \(run.seed) (\(seeds.joined(separator: ", ")))",
            "made \(run.created.ISO8601Format()) by code \(code.commit.prefix(12))"
                + (code.hasLocalChanges ? " with local changes" : "")
                + " on \(machine.processor), \(machine.cores) cores, OpenBLAS \(machine.blasCore)",
        ]
        if let note { lines.append(note) }
        if !annotations.tags.isEmpty { lines.append("tags: \(annotations.tags.sorted().joined(separator: ", "))") }
        lines += annotations.notes.map { "note of \($0.written.ISO8601Format()): \($0.text)" }
        lines += ["", "Settings that are not at their defaults:"]
        lines += changedSettings.map { "  \($0.path): \($0.value.stringValue ?? $0.value.canonical)" }

        var made = Table(columns: [
            .text("stage"), .text("id"), .state("state"), .number("time", unit: "s", decimals: 1), .text("made from"),
        ])
        for stage in stages {
            let inputs = stage.entry.record?.identity.inputs.sorted { $0.key < $1.key }.map(\.value) ?? []
            made.add([
                .text(stage.role), .text(stage.entry.id), .text(stage.state),
                .number(stage.entry.record?.wallSeconds), .text(inputs.joined(separator: ", ")),
            ])
        }
        var scores = Table(columns: [
            .text("metric"), .number("value", decimals: 4), .text("protocol"), .text("measured in"),
        ])
        for metric in metrics {
            scores.add([.text(metric.name), .number(metric.value), .text(metric.protocolName), .text(metric.stage)])
        }
        lines += ["", made.text(), scores.text(), "Protocols:"]
        lines += protocols.map { "  \($0.name) in \($0.stage): \($0.content.canonical)" }
        lines += ["", "Pictures:"]
        lines += artifacts.map { "  \(directory.appendingPathComponent($0.path).path): \($0.description)" }
        return lines.joined(separator: "\n") + "\n"
    }

    var json: JSONValue {
        [
            "run": .string(run.id), "name": .string(run.name), "sweep": .string(run.sweep), "cell": .string(run.cell),
            "status": .string(status.state.rawValue), "message": .string(status.message),
            "seeds": .object(run.seeds.mapValues { .int($0) }), "config": run.config,
            "created": .string(run.created.ISO8601Format()),
            "code": ["commit": .string(run.codeVersion.commit), "changed": .bool(run.codeVersion.hasLocalChanges)],
            "machine": [
                "host": .string(run.machine.host), "processor": .string(run.machine.processor),
                "cores": .int(run.machine.cores), "memory_bytes": .int(run.machine.memoryBytes),
                "blas_core": .string(run.machine.blasCore), "blas_threads": .string(run.machine.blasThreads),
            ],
            "tags": .array(annotations.tags.sorted().map { .string($0) }),
            "notes": .array(annotations.notes.map { .string($0.text) }),
            "stages": .array(
                stages.map { stage in
                    [
                        "role": .string(stage.role), "id": .string(stage.entry.id), "state": .string(stage.state),
                        "seconds": stage.entry.record.map { .number($0.wallSeconds) } ?? .null,
                        "inputs": .object((stage.entry.record?.identity.inputs ?? [:]).mapValues { .string($0) }),
                    ]
                }),
            "metrics": .array(
                metrics.map { metric in
                    let content = protocols.first { $0.stage == metric.stage && $0.name == metric.protocolName }?.content
                    return [
                        "name": .string(metric.name), "value": metric.value.map { .number($0) } ?? .null,
                        "stage": .string(metric.stage), "protocol": .string(metric.protocolName),
                        "protocol_content": content ?? .null,
                    ]
                }),
            "artifacts": .array(
                artifacts.map { artifact in
                    [
                        "kind": .string(artifact.kind), "path": .string(artifact.path),
                        "description": .string(artifact.description),
                    ]
                }),
        ]
    }
}
