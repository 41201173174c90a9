import Experiment
import Foundation
import RunStore

/// What the training stages of a sweep logged: a plot per column, a curve per arm, a band over its seeds.
struct TrainingCurves {
    let blocks: [ReportDocument.Block]

    /// Columns that do not show learning, such as the learning rate itself.
    private static let omitted: Set<String> = ["rate"]

    /// Nil where nothing was logged.
    init?(_ results: SweepResults, in store: Store) {
        let plots = ["tokenizer", "prior"].flatMap { role -> [ReportDocument.Block] in
            let curves = ArmCurves(results, of: role) { try? MetricsFile.read(store.stage(id: $0).verified("metrics.h5")) }
            let figures = curves.columns.filter { !Self.omitted.contains($0) }.compactMap { column in
                curves.plot(column).map { ReportDocument.Figure(name: "\(role)-\(column)", caption: "", content: .svg($0.svg())) }
            }
            return figures.isEmpty ? [] : [.subheading(role.prefix(1).uppercased() + role.dropFirst()), .figures(figures)]
        }
        guard !plots.isEmpty else { return nil }
        let introduction: ReportDocument.Block = .paragraph(
            "What the training stages logged, as means over up to \(ArmCurves.resolution) windows of steps"
                + (results.arms.contains { $0.runs.count > 1 } ? "; bands reach from the lowest to the highest seed" : "")
                + ". Total losses of different variants have different terms and do not compare.")
        blocks = [introduction] + plots
    }
}
