import Files
import Foundation
import RunStore

/// Guesses how long a stage will take from a finished stage of its kind that did work of about the same size: the one
/// nearest in FLOPs per step, and of those the one that shares most settings, those of all the stages it was made from
/// included. Time is taken to grow with FLOPs. What a small model on a few images took says nothing of a large one: small
/// products run at a fraction of the machine's speed, and a short stage mostly starts up. So where nothing of that size has
/// been done, the machine's own rate in training is used.
struct StageEstimator {
    private let store: Store
    private let planned: [String: StageIdentity]
    private let machineRate: () -> MachineRate?
    private let leastFlops: Double
    private var finished: [String: [StageRecord]] = [:]
    private var traits: [String: Set<String>] = [:]
    private var measured: MachineRate??

    /// At most so many finished stages of a kind are looked at.
    private static let recordLimit = 200
    /// How many times the FLOPs per step of the stage another may have, and how many times fewer: a smaller one is slower for its
    /// size, and would make years of what takes weeks.
    private static let (mostAbove, mostBelow) = (16.0, 4.0)
    /// A stage that took less than so many seconds mostly started up: it counts only for stages of at most so many times its FLOPs.
    private static let startUp = (seconds: 10.0, scale: 30.0)

    /// - Parameters:
    ///   - machineRate: asked for at most once, and only where it is needed.
    ///   - leastFlops: stages of fewer FLOPs are not worth measuring the machine for.
    init(
        _ store: Store, planned: [StageIdentity], leastFlops: Double = 0, machineRate: @escaping () -> MachineRate?
    ) {
        (self.store, self.leastFlops) = (store, leastFlops)
        self.planned = Dictionary(planned.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.machineRate = machineRate
    }

    /// Seconds of work left and what they follow from, or nil if nothing is known.
    mutating func estimate(for identity: StageIdentity, _ cost: StageCost?) -> SweepPlan.Estimate? {
        guard let whole = wholeEstimate(identity, cost) else { return nil }
        guard let status = store.stage(identity).status, let steps = status.steps, steps > 0 else { return whole }
        return SweepPlan.Estimate(
            seconds: whole.seconds * Double(max(0, steps - status.step)) / Double(steps), basis: whole.basis)
    }

    /// The same for all of the stage, as if nothing of it were done.
    mutating func wholeEstimate(_ identity: StageIdentity, _ cost: StageCost?) -> SweepPlan.Estimate? {
        if let record = nearest(identity, cost) {
            var scale = identity.amount / record.identity.amount
            if let cost, let done = record.summary["flops"]?.doubleValue, done > 0 { scale = cost.flops / done }
            return SweepPlan.Estimate(seconds: record.wallSeconds * scale, basis: .stage(record.id))
        }
        guard let cost, measured != nil || cost.flops >= leastFlops else { return nil }
        if measured == nil { measured = .some(machineRate()) }
        return (measured ?? nil).map {
            SweepPlan.Estimate(seconds: cost.flops / $0.flopsPerSecond, basis: .machine($0.flopsPerSecond))
        }
    }

    private mutating func nearest(_ identity: StageIdentity, _ cost: StageCost?) -> StageRecord? {
        let wanted = traits(of: identity)
        var best: (distance: Int, likeness: Int, record: StageRecord)?
        for record in records(of: identity.kind) {
            guard let distance = Self.distance(from: record, to: identity, cost) else { continue }
            let likeness = wanted.intersection(traits(of: record.identity)).count
            if let best, (-best.distance, best.likeness, best.record.finished) >= (-distance, likeness, record.finished) { continue }
            best = (distance, likeness, record)
        }
        return best?.record
    }

    /// How far apart in size, in powers of two of FLOPs per step; nil where they are too different.
    private static func distance(from record: StageRecord, to identity: StageIdentity, _ cost: StageCost?) -> Int? {
        guard let cost, cost.flops > 0 else { return 0 }
        guard let done = record.summary["flops"]?.doubleValue, done > 0 else { return nil }
        let ratio = (cost.flops / identity.amount) / (done / record.identity.amount)
        guard ratio <= mostBelow, ratio >= 1 / mostAbove else { return nil }
        guard record.wallSeconds >= startUp.seconds || cost.flops <= startUp.scale * done else { return nil }
        return Int(abs(log2(ratio)).rounded())
    }

    private mutating func records(of kind: String) -> [StageRecord] {
        if let known = finished[kind] { return known }
        let ids = ((try? store.stageIDs()) ?? []).filter { $0.hasPrefix("\(kind)-") }
        // Importing a model takes no time that could be compared.
        let records = ids.prefix(Self.recordLimit).compactMap { try? store.stage(id: $0).record }
            .filter { $0.summary["flops"]?.doubleValue != 0 }
        finished[kind] = records
        return records
    }

    /// Settings as `kind.path=value`, with those of its inputs.
    private mutating func traits(of identity: StageIdentity) -> Set<String> {
        let id = identity.id
        if let known = traits[id] { return known }
        var all = Set(identity.settings.flattened(under: identity.kind).map { "\($0.key)=\($0.value.canonical)" })
        for input in identity.inputs.values {
            if let identity = planned[input] ?? (try? store.stage(id: input).record)?.identity {
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
