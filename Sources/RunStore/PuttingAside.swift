import Files
import Foundation

/// How folders are removed from a store: renamed in one step, deleted afterwards.
extension Store {
    static let asidePrefix = ".removed-"

    /// Takes a folder out of sight. Call with `referencesLock` held.
    func putAside(_ folder: URL) throws {
        let aside = folder.deletingLastPathComponent()
            .appendingPathComponent("\(Self.asidePrefix)\(folder.lastPathComponent)-\(UInt32.random(in: 0 ... .max))")
        guard rename(folder.path, aside.path) == 0 || errno == ENOENT else { throw InputError(file: folder.path, cannot: "remove") }
    }

    /// The same for a stage, unless a process works on it.
    func putAside(stage id: String) throws -> Bool {
        let stage = stage(id: id)
        // Nobody can claim the stage while the claim is ours; who waits for it finds the folder gone, and makes a new one.
        guard let claim = try Claim.attempt(stage.url(StageHandle.lockFile), timing: lockTiming) else { return false }
        try withExtendedLifetime(claim) { try putAside(stage.directory) }
        return true
    }

    /// Folders that were put aside, by this process or by one that was killed before it could delete them.
    func putAsideFolders() throws -> [URL] {
        try [stages, runs].flatMap { folder in
            try names(in: folder).filter { name in
                // Earlier versions called them `.NAME.removed`.
                name.hasPrefix(Self.asidePrefix) || name.hasPrefix(".") && name.hasSuffix(".removed")
            }.map { folder.appendingPathComponent($0) }
        }
    }

    func deleteWhatWasPutAside() throws { for folder in try putAsideFolders() { try delete(folder) } }

    /// Deletes a file or folder; what another process deletes at the same time is gone as well.
    func delete(_ url: URL) throws {
        do { try FileManager.default.removeItem(at: url) } catch {
            if try isPresent(url) { throw InputError(file: url.path, cannot: "remove", because: error) }
        }
    }

    /// The stages that runs name, and those that these were made from.
    ///
    /// - Throws: an `InputError` where the record of one of them cannot be read: what it was made from is not known then.
    func stages(usedBy runs: [RunRecord]) throws -> Set<String> {
        var left = runs.flatMap(\.stages.values)
        var used: Set<String> = []
        while let id = left.popLast() {
            guard used.insert(id).inserted, let record = try stage(id: id).record else { continue }
            left += record.identity.inputs.values
        }
        return used
    }
}
