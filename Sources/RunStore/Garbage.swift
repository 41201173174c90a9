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

    /// Files of a killed process count as left behind when nobody has touched them for so many seconds.
    static let quietSeconds = 3600.0
    static let removedPrefix = ".removed-"
}

extension Store {
    /// What could be removed now. Never a stage that a run refers to or that a process works on.
    ///
    /// - Parameter checkpoints: also the checkpoints that finished stages have kept.
    /// - Throws: an `InputError` where a run's record cannot be read: what it refers to is not known then.
    public func garbage(checkpoints: Bool = false) throws -> Garbage {
        let needed = try neededStages()
        var garbage = Garbage()
        for id in stageIDs() {
            let stage = stage(id: id)
            // A process that works on it sees to its own rubbish.
            if stage.owner != nil || FileLock.isHeld(stage.url(StageHandle.lockFile)) { continue }
            if needed.contains(id) {
                garbage.items += leftovers(in: stage, checkpoints: checkpoints)
            } else {
                add(.stage, "stages/\(id)", "no run refers to it", to: &garbage)
            }
        }
        for name in hidden(in: stages) where name.hasPrefix(Garbage.removedPrefix) {
            add(.partial, "stages/\(name)", "its removal was cut short", to: &garbage)
        }
        for id in runIDs() {
            for name in hidden(in: directory(ofRun: id)) where Self.isAbandoned(name, in: directory(ofRun: id)) {
                add(.partial, "runs/\(id)/\(name)", "its writer is no more", to: &garbage)
            }
        }
        return garbage
    }

    /// Removes what `garbage` lists, as far as it still is garbage; returns what was removed.
    public func remove(_ garbage: Garbage) throws -> Garbage {
        var removed = Garbage()
        // No run is recorded meanwhile, so none can come to refer to what is being removed.
        try FileLock.exclusively(referencesLock) {
            let wantsCheckpoints = garbage.items.contains { $0.kind == .checkpoint }
            let current = Set(try self.garbage(checkpoints: wantsCheckpoints).items.map(\.path))
            for item in garbage.items where current.contains(item.path) && item.kind != .lock {
                if try remove(item) { removed.items.append(item) }
            }
            for item in garbage.items where item.kind == .lock && current.contains(item.path) {
                if try remove(item) { removed.items.append(item) }
            }
        }
        // Large stages have only been put aside so far, under the lock.
        for name in hidden(in: stages) where name.hasPrefix(Garbage.removedPrefix) {
            try delete(stages.appendingPathComponent(name))
        }
        return removed
    }

    private func remove(_ item: Garbage.Item) throws -> Bool {
        let url = directory.appendingPathComponent(item.path)
        let parts = item.path.split(separator: "/").map(String.init)
        if parts[0] == "runs" {
            try delete(url)
            return true
        }
        if parts[1].hasPrefix(Garbage.removedPrefix) { return true }
        // Nobody can claim the stage while we hold its lock.
        guard let lock = try FileLock.attempt(stage(id: parts[1]).url(StageHandle.lockFile)) else { return false }
        return try withExtendedLifetime(lock) {
            if item.kind == .stage {
                let aside = stages.appendingPathComponent("\(Garbage.removedPrefix)\(parts[1])-\(UInt32.random(in: 0 ... .max))")
                guard rename(url.path, aside.path) == 0 else { throw failure("remove", url) }
                return true
            }
            if item.kind != .lock { try delete(url) }
            unlink(lock.url.path)
            return true
        }
    }

    /// The stages of all runs, and all that those were made from.
    private func neededStages() throws -> Set<String> {
        var left: [String] = []
        for id in runIDs() where FileManager.default.fileExists(atPath: directory(ofRun: id).appendingPathComponent("run.json").path) {
            left += try run(id).stages.values
        }
        var needed: Set<String> = []
        while let id = left.popLast() {
            guard needed.insert(id).inserted, let record = stage(id: id).record else { continue }
            left += record.identity.inputs.values
        }
        return needed
    }

    /// What a stage that stays could do without.
    private func leftovers(in stage: StageHandle, checkpoints: Bool) -> [Garbage.Item] {
        var garbage = Garbage()
        let folder = "stages/\(stage.id)"
        for name in hidden(in: stage.directory) where name.hasSuffix(".part") {
            add(.partial, "\(folder)/\(name)", "its writer is no more", to: &garbage)
        }
        if FileManager.default.fileExists(atPath: stage.url(StageHandle.lockFile).path) {
            add(.lock, "\(folder)/\(StageHandle.lockFile)", "its owner is no more", to: &garbage)
        }
        if checkpoints, stage.isComplete {
            for name in [StageHandle.checkpointFile, StageHandle.checkpointsFolder]
            where FileManager.default.fileExists(atPath: stage.url(name).path) {
                add(.checkpoint, "\(folder)/\(name)", "the stage is finished", to: &garbage)
            }
        }
        return garbage.items
    }

    private func add(_ kind: Garbage.Kind, _ path: String, _ why: String, to garbage: inout Garbage) {
        let bytes = diskUse(of: directory.appendingPathComponent(path))
        garbage.items.append(Garbage.Item(kind: kind, path: path, bytes: bytes, why: why))
    }

    /// `.name.<process>.<number>.part`, of no process here, and not touched for long: it may be another host's.
    private static func isAbandoned(_ name: String, in folder: URL) -> Bool {
        let parts = name.split(separator: ".")
        guard name.hasSuffix(".part"), parts.count >= 4, let process = Int32(parts[parts.count - 3]) else { return false }
        var info = stat()
        guard kill(process, 0) != 0, stat(folder.appendingPathComponent(name).path, &info) == 0 else { return false }
        return Date().timeIntervalSince1970 - Double(info.st_mtim.tv_sec) > Garbage.quietSeconds
    }

    private func hidden(in folder: URL) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasPrefix(".") }.sorted()
    }

    private func delete(_ url: URL) throws {
        guard FileManager.default.fileExists(atPath: url.path) else { return }
        do { try FileManager.default.removeItem(at: url) } catch { throw failure("remove", url) }
    }

    private func failure(_ call: String, _ url: URL) -> InputError {
        InputError(file: url.path, "cannot \(call): \(String(cString: strerror(errno)))")
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
