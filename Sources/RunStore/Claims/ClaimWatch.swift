import Files
import Foundation

/// Looks from time to time at who has claimed stages, and notices owners whose heart has stopped.
///
/// For a process that wants to do something else while a stage is taken; `Store.perform` waits by itself.
public struct ClaimWatch {
    public enum Claim: Equatable {
        case free
        case held(by: StageOwner?)
        /// By a process that has not given a sign of life for `LockTiming.staleAfter`.
        case abandoned(by: StageOwner?)
    }

    private var seen: [String: (text: String, since: Double)] = [:]

    public init() {}

    public mutating func claim(on identity: StageIdentity, in store: Store) -> Claim {
        claim(in: ClaimFile(url: store.stage(identity).url(StageHandle.lockFile)), store.lockTiming).state
    }

    mutating func claim(in file: ClaimFile, _ timing: LockTiming) -> (state: Claim, found: ClaimFile.Found?) {
        let current = file.current
        guard let found = current, !found.isDead else {
            seen[file.url.path] = nil
            return (.free, current)
        }
        guard let last = seen[file.url.path], last.text == found.text else {
            seen[file.url.path] = (found.text, timing.now())
            return (.held(by: found.owner), found)
        }
        let isStale = timing.now() - last.since >= timing.staleAfter && found.canBeFenced
        return (isStale ? .abandoned(by: found.owner) : .held(by: found.owner), found)
    }
}
