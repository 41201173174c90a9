import Files
import RunStore

/// The stages of all runs of a sweep, each once, with who needs whom.
struct StageGraph {
    enum State: Equatable {
        case waiting
        case working
        case done(isReused: Bool, seconds: Double)
        case failed(String)
        /// A stage that it needs, directly or not, has failed.
        case skipped(because: Int)
    }

    struct Node {
        let stage: any Stage
        /// The nodes that it reads from.
        let inputs: [Int]
        /// The first run that needs it, on whose behalf it is made.
        fileprivate(set) var run: Int
        fileprivate(set) var state = State.waiting
        /// How often it was begun again, because of damage or of a worker that was killed.
        fileprivate(set) var repeats = 0
    }

    private(set) var nodes: [Node] = []
    /// The nodes of each run, each after those it reads from.
    let runs: [[Int]]
    /// The runs that each node is a stage of.
    let users: [[Int]]
    /// Nodes that are still to be settled.
    private(set) var openCount: Int
    private let numbers: [String: Int]
    /// All nodes before it are settled.
    private var firstOpen = 0

    /// - Parameters:
    ///   - plans: the stages of each run, each after those it reads from.
    ///   - archived: runs that are done, and on whose behalf nothing is made.
    ///   - done: ids of stages that there is nothing to do for.
    init(_ plans: [[any Stage]], archived: Set<Int> = [], done: Set<String> = []) {
        var nodes: [Node] = []
        var numbers: [String: Int] = [:]
        runs = plans.enumerated().map { run, stages in
            stages.map { stage in
                let identity = stage.identity
                if let known = numbers[identity.id] {
                    if archived.contains(nodes[known].run) { nodes[known].run = run }
                    return known
                }
                nodes.append(
                    Node(stage: stage, inputs: identity.inputs.values.compactMap { numbers[$0] }.sorted(), run: run))
                numbers[identity.id] = nodes.count - 1
                return nodes.count - 1
            }
        }
        var users = Array(repeating: [Int](), count: nodes.count)
        for (run, stages) in runs.enumerated() { for node in Set(stages) { users[node].append(run) } }
        (self.nodes, self.numbers, self.users, openCount) = (nodes, numbers, users, nodes.count)
        for (node, stage) in nodes.enumerated() where done.contains(stage.stage.id) { finish(node, isReused: true, seconds: 0) }
    }

    func number(of id: String) -> Int? { numbers[id] }

    /// The first stage that can be begun now: all it needs is done, and `isAllowed` lets it through.
    mutating func next(where isAllowed: (Int) -> Bool) -> Int? {
        while firstOpen < nodes.count, isSettled(firstOpen) { firstOpen += 1 }
        return nodes.indices[firstOpen...].first { node in
            isReady(node) && isAllowed(node)
        }
    }

    /// Whether all that it needs is done, and it is not.
    func isReady(_ node: Int) -> Bool { nodes[node].state == .waiting && nodes[node].inputs.allSatisfy(isDone) }

    mutating func begin(_ node: Int) { set(node, .working) }

    mutating func finish(_ node: Int, isReused: Bool, seconds: Double) {
        set(node, .done(isReused: isReused, seconds: seconds))
    }

    /// Back among those to be begun, such as one that turned out to be worked on by another process.
    mutating func putBack(_ node: Int) {
        set(node, .waiting)
        firstOpen = min(firstOpen, node)
    }

    /// The same, counted; false once `limit` is reached.
    mutating func `repeat`(_ node: Int, atMost limit: Int) -> Bool {
        guard nodes[node].repeats < limit else { return false }
        nodes[node].repeats += 1
        putBack(node)
        return true
    }

    /// Returns the stages that are skipped because of this one.
    mutating func fail(_ node: Int, _ error: String) -> [Int] {
        set(node, .failed(error))
        var lost: Set<Int> = [node]
        // Nodes stand behind those they read from.
        for other in nodes.indices[(node + 1)...]
        where nodes[other].state == .waiting && nodes[other].inputs.contains(where: lost.contains) {
            set(other, .skipped(because: node))
            lost.insert(other)
        }
        return lost.subtracting([node]).sorted()
    }

    private mutating func set(_ node: Int, _ state: State) {
        let wasSettled = isSettled(node)
        nodes[node].state = state
        openCount += (wasSettled ? 1 : 0) - (isSettled(node) ? 1 : 0)
    }

    func isDone(_ node: Int) -> Bool { if case .done = nodes[node].state { true } else { false } }

    func isSettled(_ node: Int) -> Bool { nodes[node].state != .waiting && nodes[node].state != .working }
}
