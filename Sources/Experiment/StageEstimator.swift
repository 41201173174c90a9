import Files
import RunStore

/// Guesses how long a stage will take from the finished stage of its kind that is most like it: the one that shares most
/// settings, those of all the stages it was made from included. Time is taken to grow with training steps, or samples.
struct StageEstimator {
    private let store: Store
    private let planned: [String: StageIdentity]
    private var finished: [String: [StageRecord]] = [:]
    private var traits: [String: Set<String>] = [:]

    /// At most so many finished stages of a kind are looked at.
    private static let recordLimit = 200

    init(_ store: Store, planned: [StageIdentity]) {
        self.store = store
        self.planned = Dictionary(planned.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Seconds of work left, or nil if no stage of this kind has been finished in this store.
    mutating func seconds(for identity: StageIdentity) -> Double? {
        let wanted = traits(of: identity)
        var best: (likeness: Int, record: StageRecord)?
        for record in records(of: identity.kind) {
            let likeness = wanted.intersection(traits(of: record.identity)).count
            if let best, (best.likeness, best.record.finished) >= (likeness, record.finished) { continue }
            best = (likeness, record)
        }
        guard let record = best?.record else { return nil }
        let whole = record.wallSeconds * identity.amount / record.identity.amount
        guard let status = store.stage(identity).status, let steps = status.steps, steps > 0 else { return whole }
        return whole * Double(max(0, steps - status.step)) / Double(steps)
    }

    private mutating func records(of kind: String) -> [StageRecord] {
        if let known = finished[kind] { return known }
        let ids = store.stageIDs().filter { $0.hasPrefix("\(kind)-") }
        let records = ids.prefix(Self.recordLimit).compactMap { store.stage(id: $0).record }
        finished[kind] = records
        return records
    }

    /// Settings as `kind.path=value`, with those of its inputs.
    private mutating func traits(of identity: StageIdentity) -> Set<String> {
        let id = identity.id
        if let known = traits[id] { return known }
        var all = Set(identity.settings.leaves(under: identity.kind))
        for input in identity.inputs.values {
            if let identity = planned[input] ?? store.stage(id: input).record?.identity {
                all.formUnion(traits(of: identity))
            }
        }
        traits[id] = all
        return all
    }
}

extension StageIdentity {
    /// Steps of a stage that trains.
    var trainingSteps: Int? { settings[kind]?["steps"]?.intValue }

    /// What its time grows with.
    fileprivate var amount: Double { Double(max(1, trainingSteps ?? settings["count"]?.intValue ?? 1)) }
}

extension JSONValue {
    fileprivate func leaves(under path: String) -> [String] {
        guard case .object(let members) = self else { return ["\(path)=\(canonical)"] }
        return members.flatMap { $1.leaves(under: "\(path).\($0)") }
    }
}
