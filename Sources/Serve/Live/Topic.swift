/// What a page follows.
enum Topic: Hashable, Sendable {
    case sweeps
    case sweep(String)
    case run(String)
    case drawing

    init?(path: [String]) {
        switch (path.first, path.count) {
        case ("sweeps", 1): self = .sweeps
        case ("sweep", 2): self = .sweep(path[1])
        case ("run", 2): self = .run(path[1])
        case ("drawing", 1): self = .drawing
        default: return nil
        }
    }

    /// The address of its events.
    var address: String {
        switch self {
        case .sweeps: "/events/sweeps"
        case .sweep(let name): "/events/sweep/\(pathPart(name))"
        case .run(let id): "/events/run/\(pathPart(id))"
        case .drawing: "/events/drawing"
        }
    }
}
