import Files
import Foundation

/// What goes when runs are removed, and what must stay because others need it. Read from the files, not from the index.
public struct Removal: Sendable {
    public let runs: [String]
    /// Stages that nothing is left to use, with the bytes of their files.
    public let stages: [(id: String, bytes: Int)]
    /// Stages of the runs that other runs use, directly or through what those were made from.
    public let sharedStages: Int
    /// Runs that are not removed, with the reason.
    public let leftAlone: [(run: String, reason: String)]
    private let store: Store

    public var bytes: Int { stages.reduce(0) { $0 + $1.bytes } }

    /// Looks at what would go. Nothing is removed.
    ///
    /// - Throws: `InputError` where a `run.json` cannot be read: what that run uses is not known then.
    public init(of ids: [String], withStages: Bool = true, in store: Store) throws {
        self.store = store
        let wanted = Set(ids)
        var (going, staying): ([String], [(run: String, reason: String)]) = ([], [])
        for id in wanted.sorted() {
            let working = try store.run(id).stages.values.sorted().lazy.map { store.stage(id: $0) }.first { $0.owner != nil }
            if let working, let owner = working.owner, !working.isComplete {
                staying.append((id, "\(owner.description) is working on \(working.id)"))
            } else {
                going.append(id)
            }
        }
        runs = going
        leftAlone = staying

        let own = try Self.closure(of: going, in: store)
        let others = Set(going)
        let needed = try Self.closure(of: store.runIDs().filter { !others.contains($0) }, in: store)
        sharedStages = own.intersection(needed).count
        stages = !withStages ? [] : own.subtracting(needed).sorted().compactMap { id in
            let stage = store.stage(id: id)
            guard FileManager.default.fileExists(atPath: stage.directory.path), stage.owner == nil else { return nil }
            return (id, Self.bytes(in: stage.directory))
        }
    }

    /// Removes it. Each folder is first renamed, so that a process that is killed meanwhile leaves no half of one.
    public func perform() throws {
        for run in runs { try Self.remove(store.directory(ofRun: run)) }
        for stage in stages { try Self.remove(store.stage(id: stage.id).directory) }
    }

    /// The stages that runs name, and those that these were made from.
    private static func closure(of runs: [String], in store: Store) throws -> Set<String> {
        var waiting = try runs.flatMap { try store.run($0).stages.values }
        var found: Set<String> = []
        while let id = waiting.popLast() {
            guard found.insert(id).inserted else { continue }
            waiting += (store.stage(id: id).record?.identity.inputs ?? [:]).values
        }
        return found
    }

    private static func bytes(in folder: URL) -> Int {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? []
        return names.reduce(0) { sum, name in
            let url = folder.appendingPathComponent(name)
            return sum + ((try? url.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0)
        }
    }

    private static func remove(_ folder: URL) throws {
        let hidden = folder.deletingLastPathComponent().appendingPathComponent(".\(folder.lastPathComponent).removed")
        // Left by a removal that was killed.
        try? FileManager.default.removeItem(at: hidden)
        guard rename(folder.path, hidden.path) == 0 else {
            if errno == ENOENT { return }
            throw InputError(file: folder.path, "cannot remove: \(String(cString: strerror(errno)))")
        }
        do { try FileManager.default.removeItem(at: hidden) } catch {
            throw InputError(file: hidden.path, "cannot remove: \(error.localizedDescription)")
        }
    }
}
