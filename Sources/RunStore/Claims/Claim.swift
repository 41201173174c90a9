import Files
import Foundation

/// The exclusive right to work on something, such as a stage: among all processes of all hosts that see its file.
///
/// The owner gives signs of life in the file. One that gives none for `LockTiming.staleAfter`, on the clock of who watches, is
/// followed by another, which first removes the owner's folder of drafts: an owner that was only paused can from then on put no file in
/// place (`AtomicFile.drafts`), at whatever moment it goes on, and finds that the claim is another's. Of a process of this host it is seen at once that it
/// is no more.
final class Claim {
    let owner: StageOwner
    /// The owner that was found dead before, if there was one.
    let predecessor: StageOwner?
    private let file: ClaimFile
    private let heartbeat: Heartbeat

    /// Where the owner's files are written before they are put in place.
    var drafts: URL { file.drafts(of: owner.identifier) }

    /// Whether another process has the claim by now.
    var isLost: Bool { !heartbeat.isOurs || access(drafts.path, F_OK) != 0 }

    /// Who has the claim, if not we.
    var successor: StageOwner? { file.current?.owner }

    // MARK: Claiming

    /// Claims, or waits until the claim is free or `isDone`; nil if that became true.
    ///
    /// - Parameters:
    ///   - dead: an owner that was found dead: its claim is taken over without waiting.
    ///   - waiting: called at every look at a claim that is held; may throw to give up.
    static func acquire(
        _ url: URL, timing: LockTiming = LockTiming(), takingOver dead: StageOwner? = nil, isDone: () throws -> Bool,
        waiting: (StageOwner?) throws -> Void
    ) throws -> Claim? {
        let file = ClaimFile(url: url)
        var watch = ClaimWatch()
        while true {
            if try isDone() { return nil }
            let (state, found) = watch.claim(in: file, timing)
            var isFree = if case .held = state { false } else { true }
            if let dead, let found, found.owner == dead { isFree = true }
            if isFree, let claim = try make(in: file, after: found, timing) {
                // It may have been done between the last look and the claim.
                return try isDone() ? nil : claim
            }
            try waiting(found?.owner)
            Thread.sleep(forTimeInterval: timing.poll)
        }
    }

    /// The claim if it can be had now, else nil.
    static func attempt(_ url: URL, timing: LockTiming = LockTiming()) throws -> Claim? {
        let file = ClaimFile(url: url)
        let found = file.current
        guard found?.isDead ?? true else { return nil }
        return try make(in: file, after: found, timing)
    }

    private init(_ owner: StageOwner, in file: ClaimFile, after predecessor: ClaimFile.Found?, _ heartbeat: Heartbeat) {
        (self.owner, self.file, self.heartbeat) = (owner, file, heartbeat)
        self.predecessor = predecessor?.owner
    }

    /// Makes a claim, in the place of a dead one where there is one; nil where another process was faster.
    private static func make(in file: ClaimFile, after dead: ClaimFile.Found?, _ timing: LockTiming) throws -> Claim? {
        var owner = StageOwner.current
        owner.token = (0..<2).map { _ in String(UInt32.random(in: 0 ... .max), radix: 16) }.joined()
        owner.number = (dead.map { $0.owner?.number ?? 1 } ?? 0) + 1
        let drafts = file.drafts(of: owner.identifier)
        // Before anyone can see the claim, so that who follows it has something to remove.
        if mkdir(drafts.path, 0o755) != 0 {
            // Its folder has been swept away since we made it.
            try RecordFile.makeDirectory(drafts)
        }
        let record = drafts.appendingPathComponent("claim")
        var isOurs = false
        defer {
            unlink(record.path)
            if !isOurs { rmdir(drafts.path) }
        }
        let heartbeat = try Heartbeat(owner, creating: record, at: file.url, isShared: FileSystem(ofStore: drafts).isShared)
        if let dead {
            guard try name(record, file.follower(of: dead)), try replace(dead, by: owner, in: file) else { return nil }
        } else {
            guard try name(record, file.url) else { return nil }
        }
        isOurs = true
        heartbeat.start(every: timing.heartbeat)
        return Claim(owner, in: file, after: dead, heartbeat)
    }

    /// Shuts the owner of a dead claim out and puts ours, which follows it, in its place; false where it is not to be had any more.
    private static func replace(_ dead: ClaimFile.Found, by owner: StageOwner, in file: ClaimFile) throws -> Bool {
        let ours = file.follower(of: dead)
        // Whoever was faster has put its own claim in the dead one's place by now, or the dead one has come to life.
        let chain = file.chain
        guard chain.last?.identifier == owner.identifier, chain.dropLast().last == dead else {
            unlink(ours.path)
            return false
        }
        for lost in chain.dropLast() { try remove(file.drafts(of: lost.identifier)) }
        guard rename(ours.path, file.url.path) == 0 else {
            // Someone took us for dead in the meantime.
            if errno == ENOENT { return false }
            throw InputError(file: file.url.path, cannot: "take over")
        }
        for lost in chain.dropFirst().dropLast() { unlink(lost.file.path) }
        return true
    }

    /// Gives a record the name by which it is a claim; false where the name is taken.
    private static func name(_ record: URL, _ name: URL) throws -> Bool {
        if link(record.path, name.path) == 0 { return true }
        var code = errno
        if [EPERM, ENOSYS, ENOTSUP, EOPNOTSUPP, EMLINK].contains(code) {
            // A file system without hard links: an empty file holds the name until the record takes its place.
            let descriptor = open(name.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            if descriptor >= 0 {
                close(descriptor)
                if rename(record.path, name.path) == 0 { return true }
            }
            code = errno
        }
        switch code {
        case EEXIST:
            // A network file system may repeat a request whose answer was lost, and hear that the name is taken: by us.
            var (ours, theirs) = (stat(), stat())
            return stat(record.path, &ours) == 0 && stat(name.path, &theirs) == 0 && ours.st_dev == theirs.st_dev
                && ours.st_ino == theirs.st_ino
        case ENOENT: return false
        default: throw InputError(file: name.path, cannot: "claim", code: code)
        }
    }

    /// Removes the drafts of an owner that has lost its claim, who may be writing there.
    private static func remove(_ drafts: URL) throws {
        for _ in 0..<1000 {
            for name in try Files.names(in: drafts) { unlink(drafts.appendingPathComponent(name).path) }
            if rmdir(drafts.path) == 0 || errno == ENOENT { return }
            usleep(10_000)
        }
        throw InputError(file: drafts.path, cannot: "remove the drafts of a process that has lost its claim")
    }

    // MARK: Giving back

    deinit {
        heartbeat.stop()
        // What moves is our own claim: who follows us removes the folder that it moves to first.
        let released = drafts.appendingPathComponent("released")
        if heartbeat.isOurs { rename(file.url.path, released.path) }
        // Before it is removed: a network file system keeps an open file under another name, in the same folder.
        heartbeat.close()
        try? Self.remove(drafts)
    }

    /// Runs `body` while no other process does so.
    static func exclusively<Result>(_ url: URL, timing: LockTiming, _ body: () throws -> Result) throws -> Result {
        guard let claim = try acquire(url, timing: timing, isDone: { false }, waiting: { _ in }) else {
            preconditionFailure("waiting for \(url.path) ended without the claim")
        }
        return try withExtendedLifetime(claim, body)
    }
}

extension Store {
    /// Runs `body` while no other process does so with this lock: by the kernel's lock where no other host can see the store, else by a
    /// claim, because locks need not reach other hosts.
    func exclusively<Result>(_ lock: URL, _ body: () throws -> Result) throws -> Result {
        guard isShared else { return try FileLock.exclusively(lock, body) }
        var timing = lockTiming
        timing.poll = min(timing.poll, 0.05)
        return try Claim.exclusively(lock, timing: timing, body)
    }
}
