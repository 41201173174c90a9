import Files
import Foundation
import RunStore

/// One execution of a graph of stages: hands out what can be begun, takes note of what has ended.
struct SweepExecution {
    private var graph: StageGraph
    private let ledger: RunLedger
    private let pool: any WorkerPool
    private let context: ExperimentContext
    /// The resolved settings of each run.
    private let configs: [JSONValue]
    private let failsFast: Bool
    /// Where other processes work on the sweep too; nil: this one sees to its end.
    private let joining: Joining?

    private var watch = ClaimWatch()
    /// Stages that another process has claimed, with when to look again.
    private var heldUntil: [Int: ContinuousClock.Instant] = [:]
    private var toldOf: Set<Int> = []
    /// Nothing more is begun: someone asked to stop, or a stage failed where that ends all.
    private var isStopping = false
    private var isInterrupted = false
    /// When something was last under way here.
    private var lastBusy = ContinuousClock.now
    /// What is left was left to others.
    private(set) var hasLeft = false

    /// Between two looks at a stage that another process works on, and at requests to stop.
    private static let pause = 0.2
    /// A stage is begun again so often when files it needs are damaged, or its worker is killed from outside.
    private static let mostRepeats = 1

    init(
        _ graph: StageGraph, _ ledger: RunLedger, _ pool: any WorkerPool, _ context: ExperimentContext, configs: [JSONValue],
        failsFast: Bool, joining: Joining? = nil
    ) {
        (self.graph, self.ledger, self.pool, self.context) = (graph, ledger, pool, context)
        (self.configs, self.failsFast, self.joining) = (configs, failsFast, joining)
    }

    /// Runs until every stage is settled. Throws `Interrupted` when asked to stop.
    mutating func run() throws {
        do {
            // Runs of which the archive has everything that is asked for.
            try ledger.settle(graph, after: graph.nodes.indices.filter(graph.isDone))
            while true {
                try handOut()
                if pool.isIdle, isStopping || graph.openCount == 0 { break }
                for (id, outcome) in try pool.ended(within: Self.pause) {
                    guard let node = graph.number(of: id) else { preconditionFailure("nobody asked for stage \(id)") }
                    try take(outcome, of: node)
                }
                if Interruption.isRequested { stop() }
                if mayLeave() {
                    hasLeft = true
                    break
                }
            }
            ledger.leave(graph)
        } catch {
            // The store itself cannot be written. Workers stop with what they have.
            pool.stop()
            while !pool.isIdle { _ = try pool.ended(within: Self.pause) }
            throw error
        }
        if graph.openCount > 0, !hasLeft, isInterrupted || Interruption.isRequested { throw Interrupted() }
    }

    /// What another process has found wrong with the stage since the sweep was submitted; it would go wrong here as well.
    private func earlierFailure(of node: Int) -> String? {
        guard let joining, let status = context.store.stage(graph.nodes[node].stage.identity).status else { return nil }
        return status.state == .failed && status.updated >= joining.failuresSince ? status.message : nil
    }

    /// Whether nothing could be begun here for long enough, and those who work on the rest are as many as there is work for.
    private mutating func mayLeave() -> Bool {
        guard let joining else { return false }
        if !pool.isIdle { lastBusy = .now }
        guard (ContinuousClock.now - lastBusy) / .seconds(1) >= joining.idleLimit else { return false }
        let open = graph.nodes.indices.filter { !graph.isSettled($0) }
        let (taken, later) = (open.filter { heldUntil[$0] != nil }, open.filter { heldUntil[$0] == nil })
        // A stage can be begun now, or something was put back.
        guard !taken.isEmpty, later.allSatisfy({ !graph.isReady($0) }) else { return false }
        return Set(later.map { graph.nodes[$0].run }).count <= taken.count
    }

    /// Stages that are done, and all of them.
    var counts: (done: Int, all: Int) { (graph.nodes.indices.count(where: graph.isDone), graph.nodes.count) }

    /// Begins what can be begun.
    private mutating func handOut() throws {
        while !isStopping, pool.hasRoom {
            if Interruption.isRequested { return stop() }
            let held = heldUntil
            guard let node = graph.next(where: { held[$0].map { $0 <= .now } ?? true }) else { return }
            let (stage, run) = (graph.nodes[node].stage, graph.nodes[node].run)
            let identity = stage.identity
            try ledger.begin(run)
            do {
                if let record = try context.store.completed(context.store.stage(identity)) {
                    try finish(node, isReused: true, seconds: record.wallSeconds)
                    continue
                }
                if let error = earlierFailure(of: node) {
                    try fail(node, error)
                    continue
                }
                if let reason = try context.store.stage(identity).damage(), toldOf.insert(node).inserted {
                    context.progress.note("\(stage.role): \(reason); it is made again")
                }
            } catch let error as InputError {
                try fail(node, "\(error)")
                continue
            }
            let claim = watch.claim(on: identity, in: context.store)
            if case .held(let owner) = claim {
                hold(node, "\(stage.id) is being made by \(owner?.description ?? "another process"); waiting for it")
                continue
            }
            var dead: StageOwner?
            if case .abandoned(let owner) = claim { dead = owner }
            graph.begin(node)
            heldUntil[node] = nil
            ledger.update(run, graph, at: stage.role)
            ledger.refreshIndex(run)
            try pool.begin(StageJob(stage: stage, config: configs[run], takesOver: dead))
        }
    }

    private mutating func take(_ outcome: StageOutcome, of node: Int) throws {
        let stage = graph.nodes[node].stage
        switch outcome {
        case .done(let isReused, let seconds):
            try finish(node, isReused: isReused, seconds: seconds)
        case .held(let message):
            graph.putBack(node)
            hold(node, message)
        case .failed(let error):
            try fail(node, error)
        case .damaged(let input, let reason):
            // The input is there again once it has been made again; then this stage's turn comes.
            guard let source = graph.number(of: input), graph.repeat(source, atMost: Self.mostRepeats) else {
                return try fail(node, reason)
            }
            context.progress.note("\(stage.role): \(reason); \(graph.nodes[source].stage.role) is made again")
            graph.putBack(node)
        case .killed(let reason):
            if isStopping { return graph.putBack(node) }
            guard graph.repeat(node, atMost: Self.mostRepeats) else { return try fail(node, reason) }
            context.progress.note("\(stage.role): \(reason); it goes on with another worker")
        case .interrupted:
            graph.putBack(node)
            isInterrupted = isInterrupted || !isStopping
            stop()
        }
    }

    private mutating func finish(_ node: Int, isReused: Bool, seconds: Double) throws {
        (heldUntil[node], lastBusy) = (nil, .now)
        let (stage, run) = (graph.nodes[node].stage, graph.nodes[node].run)
        let time = seconds.formatted(.number.precision(.fractionLength(1)))
        context.progress.note("\(stage.role): " + (isReused ? "reused \(stage.id)" : "done in \(time) s, \(stage.id)"))
        graph.finish(node, isReused: isReused, seconds: seconds)
        if !isReused {
            ledger.update(run, graph, at: stage.role)
            ledger.refreshIndex(run)
        }
        try ledger.settle(graph, after: [node])
    }

    private mutating func fail(_ node: Int, _ error: String) throws {
        let stage = graph.nodes[node].stage
        let skipped = graph.fail(node, error)
        context.progress.note("failed: \(stage.role) \(stage.id): \(error)")
        if !skipped.isEmpty {
            let roles = Set(skipped.map { graph.nodes[$0].stage.role }).sorted().joined(separator: ", ")
            context.progress.note("skipped because of it: \(roles)")
        }
        ledger.update(graph.nodes[node].run, graph, at: stage.role)
        try ledger.settle(graph, after: [node] + skipped)
        if failsFast { stop() }
    }

    private mutating func hold(_ node: Int, _ message: String) {
        heldUntil[node] = .now + .seconds(Self.pause)
        if toldOf.insert(node).inserted { context.progress.note(message) }
    }

    private mutating func stop() {
        if !isStopping { pool.stop() }
        isStopping = true
    }
}
