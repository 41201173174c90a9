import Files

/// The name of a score, taken apart: its measure and what varies in it.
public struct MetricName: Hashable, Sendable {
    /// As it is stored, or was given.
    public let text: String
    public let measure: Measure
    public let fields: [MetricField: String]

    /// Takes a name apart; one that no measure has becomes a measure of its own.
    public init(_ text: String) { self.init(text) { $0 } }

    /// The same of what a person wrote, who may leave out the feature space.
    public static func given(_ text: String) -> MetricName {
        let full = MetricName(text)
        return full.isKnown ? full : MetricName(text, form: \.short)
    }

    private init(_ text: String, form: (MetricPattern) -> MetricPattern) {
        for measure in Measure.named(like: text) {
            for pattern in measure.forms {
                if let fields = form(pattern).match(text[...]) {
                    (self.text, self.measure, self.fields) = (text, measure, fields)
                    return
                }
            }
        }
        (self.text, measure, fields) = (text, Measure(unknown: text), [:])
    }

    /// Whether some measure has names of this form.
    public var isKnown: Bool { !measure.forms.isEmpty }

    public subscript(field: MetricField) -> String? { fields[field].flatMap { $0.isEmpty ? nil : $0 } }

    public var tokens: TokenSetName? { self[.tokens].flatMap(TokenSetName.init) }

    /// A place on an axis of its own, along which a stage measured the same score: training steps, or scales of guidance.
    public var place: (axis: MetricField, value: Double)? {
        for axis in [MetricField.step, .guidance] {
            if let value = self[axis].flatMap(Double.init) { return (axis, value) }
        }
        return nil
    }

    /// The name of the curve that a score with a place is on: without the place.
    public var curve: String {
        guard let axis = place?.axis, let value = self[axis] else { return text }
        return text.replacing(".\(axis.rawValue)-\(value)", with: "", maxReplacements: 1)
    }

    /// The same score with other values of what varies.
    public func with(_ changes: [MetricField: String]) -> String { measure.name(fields.merging(changes) { $1 }) }

    /// Without its feature space, which those may leave out who have but one: `gfid.nocfg` for `gfid@fashion-cnn.nocfg`.
    public var short: String {
        guard let features = self[.features] else { return text }
        return text.replacing("@\(features)", with: "", maxReplacements: 1)
    }

    /// Whether `given` means this score: its name in full or without the feature space.
    public func isMeant(by given: String) -> Bool { given == text || given == short }

    /// The settings, and sections of settings, that enter the protocol that its values are measured under.
    public var protocolSettings: [String] {
        measure.protocolSettings + (self[.sampler].map { ["sampling.settings.\($0)"] } ?? [])
    }

    // MARK: For people

    /// Over some lines: gFID, @fashion-cnn, nocfg.
    public var titleLines: [String] {
        [measure.title] + (self[.features].map { ["@\($0)"] } ?? []) + details()
    }

    /// In one line, without the feature space: "gFID nocfg".
    public var title: String { ([measure.title] + details()).joined(separator: " ") }

    /// The title of the curve that a score with a place is on: "gFID nocfg", whatever the step.
    public var curveTitle: String { ([measure.title] + details(withPlace: false)).joined(separator: " ") }

    private func details(withPlace: Bool = true) -> [String] {
        var details: [String] = []
        if let sampler = self[.sampler] { details.append(sampler) }
        if withPlace, let step = self[.step] { details.append("step \(step)") }
        if withPlace, let scale = self[.guidance] { details.append("guidance \(scale)") }
        if let temperature = self[.temperature] { details.append("T \(temperature)") }
        for field in [MetricField.segment, .factor, .tokens, .reading, .control] {
            if let value = self[field] { details.append(value.replacing("_", with: " ")) }
        }
        if let told = self[.told] { details.append(told == "class" ? "class given" : "no class") }
        if let condition = self[.condition] { details.append(condition) }
        if let layer = self[.layer] { details.append("layer \(layer)") }
        if let bound = self[.bound] { details.append(String(bound.dropFirst())) }
        return details
    }

    // MARK: Finding

    /// The one of `names` that `given` means.
    ///
    /// - Parameter what: whose scores these are, for the error: "run", "cell".
    /// - Throws: `InputError` with the nearest name where there is none, with all choices where there are several.
    public static func find(_ given: String, among names: some Sequence<MetricName>, of what: String = "no run") throws -> MetricName {
        let names = names.sorted { $0.text < $1.text }
        if let exact = names.first(where: { $0.text == given }) { return exact }
        let matches = names.filter { $0.short == given }
        if matches.count == 1 { return matches[0] }
        guard matches.isEmpty else {
            throw InputError("'\(given)' may be any of \(matches.map(\.text).joined(separator: ", "))")
        }
        throw InputError("\(what) has a metric '\(given)'\(hint(for: given, among: names.map(\.short) + names.map(\.text)))")
    }

    /// "; did you mean 'gfid.nocfg'?", or the names that begin alike.
    public static func hint(for given: String, among names: [String]) -> String {
        guard let near = nearestName(to: given, among: names) else { return "" }
        return "; did you mean '\(near)'?"
    }

    /// FID is what people say for gFID and rFID; else the name that is spelt most alike.
    static func nearestName(to given: String, among names: [String]) -> String? {
        let word = given.lowercased()
        let head = word.prefix { $0 != "." && $0 != "@" }
        let meant = Measure.colloquial[String(head)].map { $0 + word.dropFirst(head.count) } ?? word
        return names.first { $0.lowercased() == meant } ?? names.first { $0.hasPrefix("\(meant).") }
            ?? nearest(to: meant, among: names)
    }
}

extension MetricName: Comparable {
    public static func < (left: MetricName, right: MetricName) -> Bool { left.text < right.text }
    public static func == (left: MetricName, right: MetricName) -> Bool { left.text == right.text }
    public func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
