import Files
import Foundation

/// A checkpoint on the disk whose checksum was compared: its tensors are read one by one as they are asked for.
public final class CheckpointFile {
    public let counters: [String: Int64]
    public let metadata: JSONValue
    /// By name.
    public let shapes: [String: [Int]]
    private let url: URL
    private let file: HDF5File

    /// Reads all of the file once; an `InputError` names a missing, truncated or altered one, and the tensor.
    public init(verifying url: URL) throws {
        guard try isPresent(url) else {
            throw InputError(file: url.path, "there is no such checkpoint")
        }
        // Whether the content is whole is what the checksums tell.
        try OpenMark.clear(url)
        let file = try HDF5File(reading: url)
        guard let recorded = try file.attribute(Checkpoint.digestKey)?.stringValue,
            let text = try file.attribute(Checkpoint.metadataKey)?.stringValue,
            let metadata = try? JSONValue(parsing: Data(text.utf8))
        else { throw InputError(file: url.path, isDamage: true, "is not a checkpoint: it lacks 'metadata' or 'sha256'") }
        var digests: [String: (shape: [Int], digest: String)] = [:]
        for path in try file.datasets(in: Checkpoint.tensorGroup) {
            let name = String(path.dropFirst(Checkpoint.tensorGroup.count + 1))
            let tensor: HDF5Array<Float> = try file.read(path)
            let digest = tensor.values.withUnsafeBytes { sha256($0) }
            guard try file.attribute(Checkpoint.digestKey, of: path)?.stringValue == digest else {
                throw InputError(file: url.path, isDamage: true, "is damaged: the bytes of tensor '\(name)' do not match their checksum")
            }
            digests[name] = (tensor.shape, digest)
        }
        var counters: [String: Int64] = [:]
        for path in try file.datasets(in: Checkpoint.counterGroup) {
            let counter: HDF5Array<Int64> = try file.read(path)
            guard counter.values.count == 1 else {
                throw InputError(file: url.path, "'\(path)' has shape \(counter.shape); expected one number")
            }
            counters[String(path.dropFirst(Checkpoint.counterGroup.count + 1))] = counter.values[0]
        }
        guard Checkpoint.digest(of: digests, counters, metadata: text) == recorded else {
            throw InputError(file: url.path, isDamage: true, "is damaged: its content does not match its checksum")
        }
        (self.url, self.file, self.counters, self.metadata) = (url, file, counters, metadata)
        shapes = digests.mapValues(\.shape)
    }

    /// The values of a tensor, row-major; an `InputError` where there is none of this name and shape.
    public func values(of name: String, shape: [Int]) throws -> [Float] {
        guard shapes[name] == shape else { throw InputError(file: url.path, isDamage: true, "holds no '\(name)' of shape \(shape)") }
        return try file.read("\(Checkpoint.tensorGroup)/\(name)", as: Float.self).values
    }
}
