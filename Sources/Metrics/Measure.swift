/// One kind of score: what it is called, which end of it is good, how it is shown. `Measure.all` lists every one there is.
///
/// Names of scores are taken apart here and nowhere else:
///
///     Measure.gfid.name([.features: "fashion-cnn", .sampler: "nocfg"])     // "gfid@fashion-cnn.nocfg"
///     let name = MetricName("gfid@fashion-cnn.nocfg")
///     name.measure.better                                                  // .lower
///     name[.sampler]                                                       // "nocfg"
public struct Measure: Sendable {
    /// Which end of its values is the good one.
    public enum Better: String, Sendable, Equatable { case lower, higher }

    /// What its names begin with, such as `gfid` or `probe.top1`; different for every measure.
    public let id: String
    /// Its title in tables and plots.
    public let title: String
    /// Nil where neither end is good, as of a noise or of a control.
    public let better: Better?
    /// How many tables show.
    public let decimals: Int
    public let unit: String?
    /// What its values can be at all. Intervals over few seeds reach further than that, and plots cut them off there.
    public let possible: ClosedRange<Double>
    /// The settings that enter the protocol of its values, and those that begin like them.
    let protocolSettings: [String]
    /// All forms that its names may have, the more specific first.
    let forms: [MetricPattern]

    init(
        _ id: String, _ title: String, _ better: Better?, decimals: Int = 2, unit: String? = nil,
        possible: ClosedRange<Double> = .positive, _ forms: [String], dependingOn settings: [String] = []
    ) {
        (protocolSettings, self.possible) = (settings, possible)
        (self.id, self.title, self.better, self.decimals, self.unit) = (id, title, better, decimals, unit)
        self.forms = forms.map(MetricPattern.init)
    }

    /// A score that this version does not know: it can be shown, but nothing is said to be good about it.
    init(unknown text: String) { self.init(text, text, nil, decimals: 3, []) }

    /// The short name of the score of a way of sampling: `gfid.nocfg`.
    public func shortName(sampler: String) -> String { "\(id).\(sampler)" }

    /// Whether some form of its names has this part.
    public func varies(in field: MetricField) -> Bool { forms.contains { $0.fields.contains(field) } }

    /// The name under which a value is stored.
    ///
    /// - Parameter fields: what varies; the measure must have a form with exactly these.
    public func name(_ fields: [MetricField: String] = [:]) -> String {
        guard let form = forms.first(where: { $0.accepts(fields) }) else {
            preconditionFailure("no form of \(id) has the fields \(fields)")
        }
        return form.text(fields)
    }
}

extension Measure: Hashable {
    public static func == (left: Measure, right: Measure) -> Bool { left.id == right.id }
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

extension ClosedRange<Double> {
    /// Of distances, errors, decibels, scores of what is generated, nats.
    static let positive = 0...Double.infinity
    static let share = 0...1.0
    static let correlation = -1...1.0
    /// Of R², the share of the variance that is explained: negative for what is worse than the mean.
    static let upToOne = -Double.infinity...1
    /// Of estimates without bias of what is at least 0.
    static let any = -Double.infinity...Double.infinity
}
