import Files
import Foundation

/// The files of a stage: what belongs to it, and what has become of that.
extension StageHandle {
    static let metricsFile = "metrics.h5"
    static let checkpointFile = "checkpoint.h5"
    static let checkpointsFolder = "checkpoints"

    /// What the rest of the store does not rely on: records of the work, curves, and what only going on needs.
    private static let unneeded: Set<String> = [
        recordFile, statusFile, lockFile, "log.txt", metricsFile, checkpointFile, checkpointsFolder,
    ]

    /// Lengths in bytes of the files that others rely on, by path in the folder.
    func lengths(leavingOut names: [String]) -> [String: Int] {
        var found: [String: Int] = [:]
        for name in RecordFile.names(in: directory) where !Self.unneeded.contains(name) && !names.contains(name) {
            let inner = RecordFile.names(in: url(name)).map { "\(name)/\($0)" }
            for path in inner.isEmpty ? [name] : inner {
                if let length = Self.length(of: url(path)) { found[path] = length }
            }
        }
        return found
    }

    /// What is wrong with the files that `record` lists: one that is missing or has another length; nil if nothing is.
    func damage(to record: StageRecord) -> String? {
        for (path, expected) in (record.files ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let length = Self.length(of: url(path)) else { return "\(url(path).path) is missing" }
            if length != expected { return "\(url(path).path) has \(length) bytes instead of \(expected)" }
        }
        return nil
    }

    /// The same, and whether the HDF5 files are what was sealed. Reads them whole.
    public func damage() -> String? {
        guard let record else { return nil }
        if let damage = damage(to: record) { return damage }
        for path in (record.files ?? [:]).keys.sorted() where path.hasSuffix(".h5") {
            do { try FileSeal.check(url(path)) } catch { return "\(error)" }
        }
        return nil
    }

    private static func length(of url: URL) -> Int? {
        var info = stat()
        return stat(url.path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) : nil
    }

    /// Adds lines to `log.txt`.
    public func log(_ text: String) throws {
        let url = url("log.txt")
        let descriptor = open(url.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw InputError(file: url.path, "cannot open: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let bytes = Data((Date().ISO8601Format() + " " + text + "\n").utf8)
        guard bytes.withUnsafeBytes({ Foundation.write(descriptor, $0.baseAddress, $0.count) }) == bytes.count else {
            throw InputError(file: url.path, "cannot write: \(String(cString: strerror(errno)))")
        }
    }
}

extension Store {
    /// Looks for a stage that cannot be read among those that `identity` was to be made from, directly or through
    /// others, and makes it incomplete, so that it is made again; nil where all are well. One that a process is working
    /// on is left to it.
    public func invalidateDamagedInput(of identity: StageIdentity) throws -> (id: String, reason: String)? {
        var left = identity.inputs.values.sorted()
        var seen: Set<String> = []
        while let id = left.popLast() {
            guard seen.insert(id).inserted else { continue }
            let stage = stage(id: id)
            guard let record = stage.record else { return (id, "\(id) is not complete any more") }
            if let reason = stage.damage() {
                guard let lock = try FileLock.attempt(stage.url(StageHandle.lockFile)) else { return (id, reason) }
                try withExtendedLifetime(lock) {
                    try stage.log("to be made again: \(reason)")
                    try stage.invalidate(because: reason)
                    unlink(lock.url.path)
                }
                return (id, reason)
            }
            left += record.identity.inputs.values.sorted()
        }
        return nil
    }
}
