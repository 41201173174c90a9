import Files
import RunStore

/// Guesses how long a stage will take from the finished stage of its kind that is most like it: the one that shares most
/// settings, those of all the stages it was made from included. Time is taken to grow with FLOPs where both are known;
/// stages that did not record theirs count only for stages without any, by training steps or samples. Where nothing of the
/// kind has been done, the machine's own rate is used.
struct StageEstimator {
    private let store: Store
    private let planned: [String: StageIdentity]
    private let machineRate: () -> MachineRate?
    private var finished: [String: [StageRecord]] = [:]
    private var traits: [String: Set<String>] = [:]
    private var measured: MachineRate??

    /// At most so many finished stages of a kind are looked at.
    private static let recordLimit = 200

    /// - Parameter machineRate: asked for at most once, and only where it is needed.
    init(_ store: Store, planned: [StageIdentity], machineRate: @escaping () -> MachineRate?) {
        self.store = store
        self.planned = Dictionary(planned.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.machineRate = machineRate
    }

    /// Seconds of work left and what they follow from, or nil if nothing tells.
    mutating func estimate(for identity: StageIdentity, _ cost: StageCost?) -> SweepPlan.Estimate? {
        guard let whole = wholeEstimate(identity, cost) else { return nil }
        guard let status = store.stage(identity).status, let steps = status.steps, steps > 0 else { return whole }
        return SweepPlan.Estimate(
            seconds: whole.seconds * Double(max(0, steps - status.step)) / Double(steps), basis: whole.basis)
    }

    /// The same for all of the stage, as if nothing of it were done.
    mutating func wholeEstimate(_ identity: StageIdentity, _ cost: StageCost?) -> SweepPlan.Estimate? {
        if let record = likest(identity, withFlops: (cost?.flops ?? 0) > 0) {
            var scale = identity.amount / record.identity.amount
            if let cost, let done = record.summary["flops"]?.doubleValue, done > 0 { scale = cost.flops / done }
            return SweepPlan.Estimate(seconds: record.wallSeconds * scale, basis: .stage(record.id))
        }
        guard let cost else { return nil }
        if measured == nil { measured = .some(machineRate()) }
        return (measured ?? nil).map {
            SweepPlan.Estimate(seconds: cost.flops / $0.flopsPerSecond, basis: .machine($0.flopsPerSecond))
        }
    }

    private mutating func likest(_ identity: StageIdentity, withFlops: Bool) -> StageRecord? {
        let wanted = traits(of: identity)
        var best: (likeness: Int, record: StageRecord)?
        for record in records(of: identity.kind) where !withFlops || record.summary["flops"] != nil {
            let likeness = wanted.intersection(traits(of: record.identity)).count
            if let best, (best.likeness, best.record.finished) >= (likeness, record.finished) { continue }
            best = (likeness, record)
        }
        return best?.record
    }

    private mutating func records(of kind: String) -> [StageRecord] {
        if let known = finished[kind] { return known }
        let ids = store.stageIDs().filter { $0.hasPrefix("\(kind)-") }
        // A model that was imported tells nothing of training one.
        let records = ids.prefix(Self.recordLimit).compactMap { store.stage(id: $0).record }
            .filter { $0.summary["flops"]?.doubleValue != 0 }
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

    /// What its time grows with where FLOPs are not known.
    fileprivate var amount: Double { Double(max(1, trainingSteps ?? settings["count"]?.intValue ?? 1)) }
}

extension JSONValue {
    fileprivate func leaves(under path: String) -> [String] {
        guard case .object(let members) = self else { return ["\(path)=\(canonical)"] }
        return members.flatMap { $1.leaves(under: "\(path).\($0)") }
    }
}
