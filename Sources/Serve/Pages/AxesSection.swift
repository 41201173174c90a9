import Experiment
import Foundation
import Metrics
import Report

/// Of a sweep with several axes: its arms as lines across them, and how much of a score each axis explains.
struct AxesSection {
    private let name: String
    private let live: LiveStore
    private let results: SweepResults
    private let axes: SweepAxes
    private let metric: String

    /// Nil where the sweep has no two axes, or nothing was measured yet.
    init?(_ name: String, _ request: Request, _ live: LiveStore, _ results: SweepResults) {
        (self.name, self.live, self.results) = (name, live, results)
        let wanted = request.query["score"].map { [$0] } ?? live.files[name]?.compare.metrics ?? []
        let known = wanted.lazy.compactMap { try? results.metricName($0) }.first
        guard let metric = known ?? Self.usual(results) else { return nil }
        axes = SweepAxes(results)
        self.metric = metric
        guard axes.axes.count > 1 else { return nil }
    }

    /// A score that most arms have, the distances of samples and of reconstructions before others.
    private static func usual(_ results: SweepResults) -> String? {
        let first = [Measure.gfid.id, Measure.rfid.id]
        func rank(_ score: MetricName) -> Int { first.firstIndex(of: score.measure.id) ?? first.count }
        return results.scores.filter { $0.measure.better != nil && $0.place == nil }.map { score in
            (score, results.arms.count { !$0.values(score.text).isEmpty })
        }.min { (-$0.1, rank($0.0)) < (-$1.1, rank($1.0)) }?.0.text
    }

    /// The heading and the choice of the score, which stay as they are while the sweep runs.
    var form: HTML {
        let options = results.scores.filter { $0.measure.better != nil || $0.text == metric }.map { score -> HTML in
            "<option value=\"\(score.text)\"\(score.text == metric ? " selected" as HTML : .empty)>\(score.text)</option>"
        }
        return """
            <h2 id="settings-heading">Which setting matters</h2>
            <form data-now action="#settings-heading"><label>Score <select name="score">\(options)</select></label><button>Show</button></form>

            """
    }

    var plots: HTML {
        guard let plot = axes.plot(metric) else { return "<p>No run has a value of \(metric) yet.</p>" }
        return
            "<div class=\"wide-plot\">\(HTML(markup: plot.svg()))</div>\n<p>A line an arm, at the mean over its seeds.</p>\n\(importance)"
    }

    private var importance: HTML {
        let effects = live.derived("effects \(metric) of \(name)", from: axes.observations(metric)) { $0.effects }
        guard let effects else { return .empty }
        return """
            <h3>Importance</h3>
            \(HTML(markup: SweepAxes.table(effects).html()))
            <p>Main effects: the share of the score's variance that goes with each setting, the others held; the rest is what settings do
            together, and chance. p from 999 permutations of what the other settings leave.</p>
            """
    }
}
