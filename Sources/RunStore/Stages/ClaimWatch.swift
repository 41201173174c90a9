import Files
import Foundation

/// Looks from time to time at who has claimed stages, and notices owners whose heart has stopped.
///
/// For a process that wants to do something else while a stage is taken; `Store.perform` waits by itself.
public struct ClaimWatch {
    public enum Claim: Equatable {
        case free
        case held(by: StageOwner?)
        /// By a process on another host that has not given a sign of life for `LockTiming.staleAfter`.
        case abandoned
    }

    private var seen: [String: (text: String, since: Double)] = [:]

    public init() {}

    public mutating func claim(on identity: StageIdentity, in store: Store) -> Claim {
        let file = store.stage(identity).url(StageHandle.lockFile)
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            seen[identity.id] = nil
            return .free
        }
        let owner = try? JSONDecoder().decode(StageOwner.self, from: Data(text.utf8))
        if FileLock.isHeld(file) { return .held(by: owner) }
        guard let owner, owner.host != Machine.hostName else { return .free }
        guard let last = seen[identity.id], last.text == text else {
            seen[identity.id] = (text, store.lockTiming.now())
            return .held(by: owner)
        }
        let isStale = store.lockTiming.now() - last.since >= store.lockTiming.staleAfter
        return isStale ? .abandoned : .held(by: owner)
    }
}
