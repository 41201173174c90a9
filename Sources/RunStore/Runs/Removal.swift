import Files
import Foundation

/// What goes when runs are removed, and what must stay because others need it. Read from the files, not from the index.
public struct Removal: Sendable {
    public let runs: [String]
    /// Stages that nothing is left to use, with what their files take on the disk.
    public let stages: [(id: String, bytes: Int)]
    /// Stages of the runs that other runs use, directly or through what those were made from.
    public let sharedStages: Int
    /// Runs that are not removed, with the reason.
    public let leftAlone: [(run: String, reason: String)]
    private let withStages: Bool
    private let store: Store

    public var bytes: Int { stages.reduce(0) { $0 + $1.bytes } }

    /// Looks at what would go. Nothing is removed.
    ///
    /// - Throws: `InputError` where what a run uses cannot be read.
    public init(of ids: [String], withStages: Bool = true, in store: Store) throws {
        self.store = store
        self.withStages = withStages
        var going: [RunRecord] = []
        var staying: [(run: String, reason: String)] = []
        for id in Set(ids).sorted() {
            let run = try store.run(id)
            if let reason = try Self.work(on: run, in: store) { staying.append((id, reason)) } else { going.append(run) }
        }
        runs = going.map(\.id)
        leftAlone = staying

        let own = try store.stages(usedBy: going)
        let gone = Set(runs)
        let needed = try store.stages(usedBy: store.runsThatRefer().filter { !gone.contains($0.id) })
        sharedStages = own.intersection(needed).count
        stages =
            !withStages
            ? []
            : try own.subtracting(needed).sorted().compactMap { id in
                let stage = store.stage(id: id)
                guard try isPresent(stage.directory), stage.owner == nil else { return nil }
                return (id, diskUse(of: stage.directory))
            }
    }

    /// Removes what is shown, except what is worked on or needed by now; returns what was removed.
    ///
    /// Each folder is first put aside in one step, so that a process that is killed meanwhile leaves no half of one.
    public func perform() throws -> Removal {
        // No run is recorded meanwhile, so none can come to refer to what is being removed.
        let (current, removed) = try store.exclusively(store.referencesLock) {
            let known = Set(try store.runIDs())
            let current = try Removal(of: runs.filter(known.contains), withStages: withStages, in: store)
            for run in current.runs { try store.putAside(store.directory(ofRun: run)) }
            let shown = Set(stages.map(\.id))
            return (current, try current.stages.filter { try shown.contains($0.id) && store.putAside(stage: $0.id) })
        }
        try store.deleteWhatWasPutAside()
        return Removal(
            runs: current.runs, stages: removed, sharedStages: current.sharedStages, leftAlone: current.leftAlone,
            withStages: withStages, store: store)
    }

    private init(
        runs: [String], stages: [(id: String, bytes: Int)], sharedStages: Int, leftAlone: [(run: String, reason: String)],
        withStages: Bool, store: Store
    ) {
        (self.runs, self.stages, self.sharedStages, self.leftAlone) = (runs, stages, sharedStages, leftAlone)
        (self.withStages, self.store) = (withStages, store)
    }

    /// Who works on a run; nil where nobody does.
    private static func work(on run: RunRecord, in store: Store) throws -> String? {
        for id in run.stages.values.sorted() {
            let stage = store.stage(id: id)
            if let owner = stage.owner, try !stage.isComplete { return "\(owner.description) is working on \(id)" }
        }
        let status = try store.status(ofRun: run.id)
        guard status.state == .running, let owner = status.owner, owner.mayLive else { return nil }
        return "\(owner.description) is working on it"
    }
}
