import Files
import Foundation

/// The file of a claim, and what is beside it: who has the claim now.
///
/// A claim is made by giving a finished record the file's name, which the file system grants once (`link`, where there are hard
/// links). A claim that is dead is followed by one with the name `.lock.after-TOKEN`, which is granted once as well, and which then takes the
/// place of the dead one. So there is one claim at any moment, on file systems whose locks do not reach other hosts too.
struct ClaimFile {
    let url: URL

    /// A claim as it was found.
    struct Found: Equatable {
        let file: URL
        let text: String
        /// Nil where the file says nothing that can be read: it may be about to be written.
        let owner: StageOwner?

        var identifier: String { owner?.identifier ?? String(sha256(Data(text.utf8)).prefix(16)) }
    }

    /// The claim that counts; nil where there is none.
    var current: Found? { chain.last }

    /// The claim in the file, and those that have followed it and have not yet taken its place.
    var chain: [Found] {
        var chain = read(url).map { [$0] } ?? []
        while let last = chain.last, let next = read(follower(of: last)), !chain.contains(where: { $0.identifier == next.identifier }) {
            chain.append(next)
        }
        return chain
    }

    /// Where the claim stands that follows a dead one.
    func follower(of claim: Found) -> URL { beside("after-\(claim.identifier)") }

    /// The folder in which the owner of a claim writes its files before they are put in place.
    func drafts(of identifier: String) -> URL { beside("drafts-\(identifier)") }

    /// Names beside the lock of which the lock's owner needs none but its own.
    static func isBeside(_ name: String, lock: String) -> Bool { name.hasPrefix(prefix(lock)) }

    private func beside(_ name: String) -> URL {
        url.deletingLastPathComponent().appendingPathComponent(Self.prefix(url.lastPathComponent) + name)
    }

    private static func prefix(_ lock: String) -> String { "." + lock.drop { $0 == "." } + "." }

    private func read(_ file: URL) -> Found? {
        // Opened anew each time: that is when a network file system looks whether another host has written to it.
        guard let data = try? Data(contentsOf: file) else { return nil }
        let owner = try? JSONDecoder().decode(StageOwner.self, from: data)
        return Found(file: file, text: String(decoding: data, as: UTF8.self), owner: owner)
    }
}

extension ClaimFile.Found {
    /// Whether its owner is seen to be no more, without waiting: it was a process of this host.
    var isDead: Bool {
        // The kernel drops the lock with the process, however it ends, where the file system has locks.
        if FileLock.isHeld(file) { return false }
        guard let owner else { return !FileSystem(ofStore: file).isShared }
        guard owner.isHere else { return false }
        return owner.token == nil || !owner.mayLive
    }

    /// Whether the owner can be shut out while it may still run. One of an earlier version cannot, and is left alone for as long as the
    /// kernel says that it is there.
    var canBeFenced: Bool { owner?.token != nil || !FileLock.isHeld(file) }
}
