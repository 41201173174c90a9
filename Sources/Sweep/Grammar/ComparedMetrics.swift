import Files
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
            let known = samplers.union(isTuned ? ["tuned", "best-temperature"] : [])
            guard known.contains(sampler) else {
                throw item.place.error(
                    "'\(text)' is a score of samples called '\(sampler)'; sampling.settings has "
                        + "\(known.sorted().joined(separator: ", "))\(MetricName.hint(for: name.short, among: usual))")
            }
            return text
        }
    }

    /// Where cells will measure what is compared under different protocols: the table then has a column for each.
    static func notes(_ sweep: SweepFile) -> [String] {
        sweep.compare.metrics.compactMap { text in
            let differing = MetricName.given(text).protocolSettings.compactMap { path -> String? in
                let values = Set(sweep.cells.map { $0.resolved[path: path] ?? .null })
                    // Without a prologue there are no tokens of it to count: such cells are probed as the others are.
                    .filter { path != "tokenizer.prologue_tokens" || $0 != 0 }
                guard values.count > 1 else { return nil }
                let isShort = values.allSatisfy { $0.objectValue == nil }
                return isShort
                    ? "\(path) = \(values.sorted(by: MeasuringProtocol.comesBefore).map(\.canonical).joined(separator: " or "))" : path
            }
            return differing.isEmpty
                ? nil : "\(text) will be measured under different protocols (\(differing.joined(separator: "; "))): a column for each"
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
