import Metrics
import Settings

/// The scores that a sweep is to be compared by, checked before anything is trained for them.
struct ComparedMetrics {
    /// What the cells' samples are called.
    private let samplers: Set<String>
    private let isTuned: Bool

    init(_ cells: [Cell]) {
        samplers = Set(cells.flatMap { $0.settings.sampling.settings.keys })
        isTuned = cells.contains { $0.settings.tuning.enabled }
    }

    /// The names of scores in `items`.
    ///
    /// - Throws: `InputError` with file and line where no cell can come to have such a score.
    func names(_ items: [SourceValue]) throws -> [String] {
        try items.compactMap { item in
            guard let text = item.text else { return nil }
            let name = MetricName.given(text)
            guard name.isKnown else {
                throw item.place.error("no score is called '\(text)'\(MetricName.hint(for: text, among: usual))")
            }
            // Snapshots and candidates of tuning are drawn in ways of their own.
            guard let sampler = name[.sampler], name.place == nil else { return text }
            let known = samplers.union(isTuned ? ["tuned"] : [])
            guard known.contains(sampler) else {
                throw item.place.error(
                    "'\(text)' is a score of samples called '\(sampler)'; sampling.settings has "
                        + "\(known.sorted().joined(separator: ", "))\(MetricName.hint(for: text, among: usual))")
            }
            return text
        }
    }

    /// What is usually compared, as a sweep file names it.
    private var usual: [String] {
        let names = samplers.sorted { ($0 == "nocfg" ? "" : $0) < ($1 == "nocfg" ? "" : $1) }
        let ofSamples = [Measure.gfid, .sfid, .priorGap, .inceptionScore, .precision, .recall, .classAgreement]
        return ofSamples.flatMap { measure in names.map { measure.shortName(sampler: $0) } }
            + ["rfid", "rsfid", "l1@pixels", "psnr@pixels", "ssim@pixels", Measure.probeTop1.name()]
    }
}
