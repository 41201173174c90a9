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
    func lengths(leavingOut names: [String]) throws -> [String: Int] {
        var found: [String: Int] = [:]
        for name in try RecordFile.names(in: directory) where !Self.unneeded.contains(name) && !names.contains(name) {
            let inner = try RecordFile.names(in: url(name)).map { "\(name)/\($0)" }
            for path in inner.isEmpty ? [name] : inner {
                if let length = try Self.length(of: url(path)) { found[path] = length }
            }
        }
        return found
    }

    /// Checksums of those files, and of the curves, which people read.
    func digests(of files: some Sequence<String>) throws -> [String: String] {
        var digests: [String: String] = [:]
        for path in files { digests[path] = try FileDigests.shared.digest(of: url(path)) }
        if try isPresent(url(Self.metricsFile)) { digests[Self.metricsFile] = try FileDigests.shared.digest(of: url(Self.metricsFile)) }
        return digests
    }

    /// What is wrong with the files that `record` lists: one that is missing or has another length; nil if nothing is.
    func damage(to record: StageRecord) throws -> String? {
        for (path, expected) in (record.files ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let length = try Self.length(of: url(path)) else { return "\(url(path).path) is missing" }
            // A program that opened the file for writing has cut the seal off; the checksum tells whether it did more.
            let isUnsealed = path.hasSuffix(".h5") && length == expected - FileSeal.length
            if length != expected, !isUnsealed { return "\(url(path).path) has \(length) bytes instead of \(expected)" }
        }
        return nil
    }

    /// The same, and whether each file is what was written. Reads them whole, once in a process.
    public func damage() throws -> String? {
        do {
            guard let record = try record else { return nil }
            if let damage = try damage(to: record) { return damage }
            for path in (record.files ?? [:]).keys.sorted() { try verify(path, record) }
            return nil
        } catch let error as InputError where error.isDamage {
            return error.message
        }
    }

    /// Where a file of a finished stage is, once it has been found to be what was written. An `InputError` names the file if
    /// it is not.
    public func verified(_ path: String) throws -> URL {
        if let record = try record {
            do { try verify(path, record) } catch let error as InputError where error.isDamage {
                throw InputError("\(error.message); 'prologue sweep run' makes \(id) again", isDamage: true)
            }
        }
        return url(path)
    }

    /// Compares a file with the checksum in the record. Where there is none, as in records of earlier versions, what the file
    /// itself says has to do: the seal of an HDF5 file, the form of the others.
    private func verify(_ path: String, _ record: StageRecord) throws {
        let url = url(path)
        guard let expected = record.digests?[path] else {
            guard try isPresent(url) else { return }
            switch url.pathExtension {
            case "h5" where path != Self.metricsFile: try FileSeal.check(url)
            case "json": _ = try RecordFile.read(url, as: Scores.self)
            case "safetensors": _ = try SafetensorsFile(reading: url)
            default: break
            }
            return
        }
        guard try FileDigests.shared.digest(of: url) == expected else {
            throw FileSeal.mismatch(in: url, "is not what was written")
        }
        if url.pathExtension == "h5" { try OpenMark.clear(url) }
    }

    private static func length(of url: URL) throws -> Int? {
        var info = stat()
        guard stat(url.path, &info) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw InputError(file: url.path, cannot: "look at it")
        }
        return info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) : nil
    }

    /// Adds lines to `log.txt`.
    public func log(_ text: String) throws {
        let url = url("log.txt")
        let descriptor = open(url.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw InputError(file: url.path, cannot: "open") }
        defer { close(descriptor) }
        let bytes = Data((Date().ISO8601Format() + " " + text + "\n").utf8)
        guard bytes.withUnsafeBytes({ Foundation.write(descriptor, $0.baseAddress, $0.count) }) == bytes.count else {
            throw InputError(file: url.path, cannot: "write")
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
            if let reason = try stage.damage() {
                guard let claim = try Claim.attempt(stage.url(StageHandle.lockFile), timing: lockTiming) else { return (id, reason) }
                try withExtendedLifetime(claim) {
                    try stage.log("to be made again: \(reason)")
                    try stage.invalidate(because: reason)
                }
                return (id, reason)
            }
            guard let record = try stage.record else { return (id, "\(id) is not complete any more") }
            left += record.identity.inputs.values.sorted()
        }
        return nil
    }
}
