import Files
import Foundation
import RunStore
import Synchronization

/// A request to everyone who works on a sweep, on any host, to stop with a checkpoint: a file in the store that is written anew
/// for each.
public struct StopRequest: Codable, Equatable, Sendable {
    /// What sets it apart from earlier ones.
    public let id: String
    public let asked: Date

    private static func file(_ sweep: String, _ store: Store) -> URL {
        store.directory.appendingPathComponent("sweeps/\(sweep).stop.json")
    }

    public static func make(sweep: String, in store: Store) throws {
        let file = file(sweep, store)
        try RecordFile.makeDirectory(file.deletingLastPathComponent())
        try RecordFile.write(StopRequest(id: UUID().uuidString, asked: Date()), to: file)
    }

    /// The last one; nil where there was none, or none that can be read.
    public static func last(sweep: String, in store: Store) -> StopRequest? {
        (try? RecordFile.read(file(sweep, store), as: StopRequest.self)) ?? nil
    }

    /// Seconds between two looks.
    private static let interval = 1.0
    private static let heard = Atomic<Bool>(false)

    /// Asks the work of this process to stop once there is a request other than `earlier`. Call once, from the command line.
    public static func listen(sweep: String, in store: Store, earlier: String?) {
        Thread.detachNewThread {
            while true {
                if let last = last(sweep: sweep, in: store), last.id != earlier {
                    heard.store(true, ordering: .relaxed)
                    return Interruption.request()
                }
                Thread.sleep(forTimeInterval: interval)
            }
        }
    }

    /// Whether it was such a request that this process was stopped by.
    public static var isHeard: Bool { heard.load(ordering: .relaxed) }
}
