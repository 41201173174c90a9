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
    /// Everything else: settings, format, best score so far.
    public var metadata: JSONValue

    public init(tensors: [String: HDF5Array<Float>] = [:], counters: [String: Int64] = [:], metadata: JSONValue = [:]) {
        self.tensors = tensors
        self.counters = counters
        self.metadata = metadata
    }

    /// A tensor to be written: its values stay where they are, and are asked for when their turn comes.
    public struct Entry {
        let name: String
        let shape: [Int]
        let withValues: ((Span<Float>) throws -> Void) throws -> Void

        /// - Parameter withValues: calls its argument once with the values, row-major.
        public init(
            _ name: String, shape: [Int], withValues: @escaping ((Span<Float>) throws -> Void) throws -> Void
        ) {
            (self.name, self.shape, self.withValues) = (name, shape, withValues)
        }
    }

    /// Writes the file atomically and returns the digest of its content.
    @discardableResult
    public func write(to url: URL) throws -> String {
        let entries = tensors.map { name, tensor in
            Entry(name, shape: tensor.shape) { try $0(tensor.values.span) }
        }
        return try Self.write(entries, counters: counters, metadata: metadata, to: url)
    }

    /// The same, one tensor after the other from memory that belongs to someone else, so that a training needs no second
    /// copy of its state.
    @discardableResult
    public static func write(
        _ entries: [Entry], counters: [String: Int64], metadata: JSONValue, to url: URL
    ) throws -> String {
        let text = metadata.canonical
        var total = ""
        try HDF5File.write(atomicallyTo: url) { file in
            try file.makeGroup(tensorGroup)
            try file.makeGroup(counterGroup)
            var digests: [String: (shape: [Int], digest: String)] = [:]
            for entry in entries.sorted(by: { $0.name < $1.name }) {
                try entry.withValues { span in
                    try span.withUnsafeBufferPointer { values in
                        let sum = sha256(UnsafeRawBufferPointer(values))
                        digests[entry.name] = (entry.shape, sum)
                        try file.write(
                            values, to: "\(tensorGroup)/\(entry.name)", shape: entry.shape,
                            attributes: [digestKey: .string(sum)])
                    }
                }
            }
            precondition(digests.count == entries.count, "two tensors of a checkpoint have one name")
            for (name, value) in counters.sorted(by: { $0.key < $1.key }) {
                try file.write([value], to: "\(counterGroup)/\(name)", shape: [])
            }
            total = digest(of: digests, counters, metadata: text)
            try file.setAttribute(metadataKey, .string(text))
            try file.setAttribute(digestKey, .string(total))
        }
        return total
    }

    /// Reads and verifies a file; an `InputError` names a missing, truncated or altered one, and the tensor.
    public init(reading url: URL) throws {
        let file = try CheckpointFile(verifying: url)
        (counters, metadata) = (file.counters, file.metadata)
        tensors = try Dictionary(
            uniqueKeysWithValues: file.shapes.map { name, shape in
                (name, HDF5Array(shape: shape, values: try file.values(of: name, shape: shape)))
            })
    }

    static let tensorGroup = "tensors"
    static let counterGroup = "counters"
    static let digestKey = "sha256"
    static let metadataKey = "metadata"

    static func digest(
        of tensors: [String: (shape: [Int], digest: String)], _ counters: [String: Int64], metadata: String
    ) -> String {
        var lines = tensors.map { "tensor \($0.key) \($0.value.shape) \($0.value.digest)" }.sorted()
        lines += counters.map { "counter \($0.key) \($0.value)" }.sorted()
        lines.append("metadata \(metadata)")
        return sha256(Data(lines.joined(separator: "\n").utf8))
    }
}
