import Experiment
import Files
import Foundation
import RunStore
import Sweep

/// Where every number of a report came from: its run, the stage that measured it, under which protocol; and what each
/// stage was made with.
struct Provenance {
    let blocks: [ReportDocument.Block]

    init(_ sweep: SweepFile, _ results: SweepResults) {
        blocks = [
            .heading("Where the numbers come from"),
            .paragraph(
                "Every score was measured by a stage; 'prologue runs show RUN' prints the run with its settings and "
                    + "stages, whose folders hold the files named in docs/store.md."),
            .details("Scores with their runs, stages and protocols", [.table(Self.scores(results))]),
            .details("Stages with their code, machine, time and memory", [.table(Self.stages(results))]),
        ]
    }

    private static func scores(_ results: SweepResults) -> Table {
        var table = Table(columns: [
            .text("score"), .text("arm"), .number("seed", decimals: 0), .text("value", alignment: .right), .text("run"),
            .text("stage"), .text("protocol"),
        ])
        for name in results.metricNames {
            for arm in results.arms {
                for run in arm.runs {
                    guard let metric = run.metrics[name] else { continue }
                    table.add([
                        .text(name), .text(arm.label), .number(run.seed),
                        .text(metric.value.map(NumberFormat.exact) ?? "–"), .text(run.id), .text(metric.stage),
                        .text(metric.protocol.canonical),
                    ])
                }
            }
        }
        return table
    }

    private static func stages(_ results: SweepResults) -> Table {
        var table = Table(columns: [
            .text("stage"), .text("role"), .number("time", unit: "s", decimals: 1),
            .number("peak memory", unit: "MiB", decimals: 0), .text("finished"), .text("code"), .text("machine"),
        ])
        var seen: Set<String> = []
        let runs = results.arms.flatMap(\.runs)
        let records = runs.flatMap { run in run.stages.compactMap { role, stage in stage.record.map { (role, $0) } } }
        for (role, record) in records.sorted(by: { $0.1.started < $1.1.started }) where seen.insert(record.id).inserted {
            table.add([
                .text(record.id), .text(role), .number(record.wallSeconds),
                .number(Double(record.peakMemoryBytes) / 1_048_576), .text(record.finished.formatted(.iso8601)),
                .text(record.codeVersion.shown), .text(record.machine.shown),
            ])
        }
        return table
    }
}
