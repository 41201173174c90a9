import Files
import Foundation

/// The state of a training run: everything that continuing needs, in one HDF5 file.
///
/// Layout: `tensors/<name>` float32 datasets, each with the attribute `sha256` of its bytes; `counters/<name>` int64
/// scalars; root attributes `metadata` (JSON text) and `sha256`, taken over names, shapes and digests of all of it.
/// Written beside its place and renamed, without time stamps: the same state gives the same bytes.
public struct Checkpoint: Equatable, Sendable {
    /// Parameters, optimiser moments, averages: by name, row-major.
    public var tensors: [String: HDF5Array<Float>]
    /// Steps, positions and random stream states (bit patterns): by name.
    public var counters: [String: Int64]
    /// What else there is to say: settings, format, best score so far.
    public var metadata: JSONValue

    public init(tensors: [String: HDF5Array<Float>] = [:], counters: [String: Int64] = [:], metadata: JSONValue = [:]) {
        self.tensors = tensors
        self.counters = counters
        self.metadata = metadata
    }

    /// Writes the file atomically and returns the digest of its content.
    @discardableResult
    public func write(to url: URL) throws -> String {
        let digests = tensors.mapValues { Self.digest($0.values) }
        let text = metadata.canonical
        let total = digest(tensorDigests: digests, metadata: text)
        try HDF5File.write(atomicallyTo: url) { file in
            try file.makeGroup(Self.tensorGroup)
            try file.makeGroup(Self.counterGroup)
            for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
                try file.write(
                    tensor.values, to: "\(Self.tensorGroup)/\(name)", shape: tensor.shape,
                    attributes: [Self.digestKey: .string(digests[name] ?? "")])
            }
            for (name, value) in counters.sorted(by: { $0.key < $1.key }) {
                try file.write([value], to: "\(Self.counterGroup)/\(name)", shape: [])
            }
            try file.setAttribute(Self.metadataKey, .string(text))
            try file.setAttribute(Self.digestKey, .string(total))
        }
        return total
    }

    /// Reads and verifies a file; an `InputError` names a missing, truncated or altered one, and the tensor.
    public init(reading url: URL) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw InputError(file: url.path, "there is no such checkpoint")
        }
        let file = try HDF5File(reading: url)
        guard let recorded = try file.attribute(Self.digestKey)?.stringValue,
            let text = try file.attribute(Self.metadataKey)?.stringValue,
            let metadata = try? JSONValue(parsing: Data(text.utf8))
        else { throw InputError(file: url.path, "is not a checkpoint: it lacks 'metadata' or 'sha256'") }
        var digests: [String: String] = [:]
        tensors = [:]
        counters = [:]
        self.metadata = metadata
        for path in try file.datasets(in: Self.tensorGroup) {
            let name = String(path.dropFirst(Self.tensorGroup.count + 1))
            let tensor: HDF5Array<Float> = try file.read(path)
            digests[name] = Self.digest(tensor.values)
            guard try file.attribute(Self.digestKey, of: path)?.stringValue == digests[name] else {
                throw InputError(file: url.path, "is damaged: the bytes of tensor '\(name)' do not match their checksum")
            }
            tensors[name] = tensor
        }
        for path in try file.datasets(in: Self.counterGroup) {
            counters[String(path.dropFirst(Self.counterGroup.count + 1))] = try file.read(path, as: Int64.self).values[0]
        }
        guard digest(tensorDigests: digests, metadata: text) == recorded else {
            throw InputError(file: url.path, "is damaged: its content does not match its checksum")
        }
    }

    private static let tensorGroup = "tensors"
    private static let counterGroup = "counters"
    private static let digestKey = "sha256"
    private static let metadataKey = "metadata"

    private func digest(tensorDigests: [String: String], metadata: String) -> String {
        var lines = tensors.map { "tensor \($0.key) \($0.value.shape) \(tensorDigests[$0.key] ?? "")" }.sorted()
        lines += counters.map { "counter \($0.key) \($0.value)" }.sorted()
        lines.append("metadata \(metadata)")
        return sha256(Data(lines.joined(separator: "\n").utf8))
    }

    /// Over the bytes as they lie in memory (little endian), without copying them.
    private static func digest(_ values: [Float]) -> String {
        values.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, !bytes.isEmpty else { return sha256(Data()) }
            return sha256(
                Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count, deallocator: .none))
        }
    }
}
