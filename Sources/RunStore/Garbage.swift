import Files
import Foundation

/// What a store could do without.
public struct Garbage: Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// No run refers to it, and nothing that a run refers to was made from it.
        case stage
        /// Kept by a finished stage (`keep_checkpoints`); asked for only.
        case checkpoint
        /// Written by a process that is no more.
        case partial
        /// Left behind by a process that is no more.
        case lock
        /// Decoded pictures (`data.cache`), made again where they are wanted; asked for only.
        case cache
    }

    public struct Item: Sendable, Equatable {
        public let kind: Kind
        /// Relative to the store.
        public let path: String
        /// What it takes on the disk.
        public let bytes: Int
        public let why: String
    }

    public internal(set) var items: [Item] = []
    public var bytes: Int { items.reduce(0) { $0 + $1.bytes } }
}

extension Store {
    /// What could be removed now. Never a stage that a run refers to or that a process works on.
    ///
    /// - Parameters:
    ///   - checkpoints: also the checkpoints that finished stages have kept.
    ///   - caches: also the caches of pictures.
    /// - Throws: an `InputError` where something that decides cannot be read: a folder, the record of a run or of a stage that
    ///   a run refers to.
    public func garbage(checkpoints: Bool = false, caches: Bool = false) throws -> Garbage {
        let needed = try stages(usedBy: runsThatRefer())
        var garbage = Garbage()
        for id in try stageIDs() {
            let stage = stage(id: id)
            // A process that works on it removes its own temporary files.
            if stage.owner != nil || FileLock.isHeld(stage.url(StageHandle.lockFile)) { continue }
            if needed.contains(id) {
                garbage.items += try leftovers(in: stage, checkpoints: checkpoints)
            } else {
                add(.stage, stage.directory, "no run refers to it", to: &garbage)
            }
        }
        for folder in try putAsideFolders() { add(.partial, folder, "its removal was cut short", to: &garbage) }
        for id in try runIDs() {
            let folder = directory(ofRun: id)
            if try RecordFile.names(in: folder).isEmpty { add(.partial, folder, "its run was never recorded", to: &garbage) }
        }
        let data = directory.appendingPathComponent("data")
        if caches {
            for name in try names(in: data) where name.hasSuffix(".cache") {
                add(.cache, data.appendingPathComponent(name), "pictures are decoded again where it is missing", to: &garbage)
            }
        }
        for file in try unfinishedFiles() { add(.partial, file, "its writer is no more", to: &garbage) }
        return garbage
    }

    /// Removes what `garbage` lists, as far as it still is garbage; returns what was removed.
    public func remove(_ garbage: Garbage) throws -> Garbage {
        var removed = Garbage()
        // No run is recorded meanwhile, so none can come to refer to what is being removed.
        try exclusively(referencesLock) {
            let kinds = Set(garbage.items.map(\.kind))
            let current = Set(
                try self.garbage(checkpoints: kinds.contains(.checkpoint), caches: kinds.contains(.cache)).items.map(\.path))
            // A lock goes last: what is beside it is removed while it is held.
            let items = garbage.items.filter { $0.kind != .lock } + garbage.items.filter { $0.kind == .lock }
            for item in items where current.contains(item.path) {
                if try remove(item) { removed.items.append(item) }
            }
        }
        // Large stages have only been put aside so far, under the lock.
        try deleteWhatWasPutAside()
        return removed
    }

    private func remove(_ item: Garbage.Item) throws -> Bool {
        let url = directory.appendingPathComponent(item.path)
        let parts = item.path.split(separator: "/").map(String.init)
        if item.kind == .stage { return try putAside(stage: parts[1]) }
        guard parts[0] == "stages", parts.count > 2 else {
            try delete(url)
            return true
        }
        guard let claim = try Claim.attempt(stage(id: parts[1]).url(StageHandle.lockFile), timing: lockTiming) else { return false }
        return try withExtendedLifetime(claim) {
            if item.kind != .lock { try delete(url) }
            return true
        }
    }

    /// Files that killed processes have left half written, outside of stages.
    private func unfinishedFiles() throws -> [URL] {
        var found: [URL] = []
        func look(in folder: URL) throws {
            for name in try names(in: folder) {
                let url = folder.appendingPathComponent(name)
                if AtomicFile.isLeftBehind(url) {
                    found.append(url)
                } else if !name.hasPrefix("."), url.path != stages.path, isFolder(url) {
                    try look(in: url)
                }
            }
        }
        try look(in: directory)
        return found
    }

    private func isFolder(_ url: URL) -> Bool {
        var info = stat()
        return lstat(url.path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// What a stage that stays could do without.
    private func leftovers(in stage: StageHandle, checkpoints: Bool) throws -> [Garbage.Item] {
        var garbage = Garbage()
        for folder in [stage.directory, stage.url(StageHandle.scoresFolder)] {
            for name in try names(in: folder)
            where name.hasPrefix(".") && name.hasSuffix(".part") || ClaimFile.isBeside(name, lock: StageHandle.lockFile) {
                add(.partial, folder.appendingPathComponent(name), "its writer is no more", to: &garbage)
            }
        }
        let lock = stage.url(StageHandle.lockFile)
        if try isPresent(lock) { add(.lock, lock, "its owner is no more", to: &garbage) }
        // Where a file of the stage is damaged, its checkpoint saves training it again.
        if checkpoints, try stage.record != nil, try stage.damage() == nil {
            for file in [StageHandle.checkpointFile, StageHandle.checkpointsFolder].map(stage.url) where try isPresent(file) {
                add(.checkpoint, file, "the stage is finished", to: &garbage)
            }
        }
        return garbage.items
    }

    private func add(_ kind: Garbage.Kind, _ url: URL, _ why: String, to garbage: inout Garbage) {
        let path = String(url.path.dropFirst(directory.path.count + 1))
        garbage.items.append(Garbage.Item(kind: kind, path: path, bytes: diskUse(of: url), why: why))
    }
}

/// Bytes that a file, or all that is in a folder, takes on the disk; a file with several names counts once.
func diskUse(of url: URL) -> Int {
    var seen: Set<UInt64> = []
    func use(_ path: String) -> Int {
        var info = stat()
        guard lstat(path, &info) == 0 else { return 0 }
        if info.st_mode & S_IFMT == S_IFDIR {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            return Int(info.st_blocks) * 512 + names.reduce(0) { $0 + use("\(path)/\($1)") }
        }
        return seen.insert(UInt64(info.st_ino)).inserted ? Int(info.st_blocks) * 512 : 0
    }
    return use(url.path)
}
