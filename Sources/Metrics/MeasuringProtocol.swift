import Files

/// Everything that two values must share to stand in one column: features, reference, counts, sampler.
public struct MeasuringProtocol: Hashable, Sendable {
    /// As it is stored, without the seed: that is what replicates are meant to differ in.
    public let members: [String: JSONValue]

    public init(_ stored: JSONValue) {
        var members = stored.objectValue ?? [:]
        members["seed"] = nil
        self.members = members
    }

    /// Samples, or images, that were measured.
    public var count: Int? { members["count"]?.intValue }
    /// Images that they were compared with.
    public var referenceCount: Int? { members["reference_count"]?.intValue }

    /// The value at a dotted path, such as `sampler.temperature`.
    public subscript(path: String) -> JSONValue? { JSONValue.object(members)[path: path] }

    /// The dotted paths whose values are not the same in all of `protocols`, sorted.
    public static func differing(_ protocols: some Collection<MeasuringProtocol>) -> [String] {
        let parts = protocols.map { Dictionary(JSONValue.object($0.members).flattened().map { ($0.key, $0.value) }) { $1 } }
        return Set(parts.flatMap(\.keys)).sorted().filter { key in Set(parts.map { $0[key] }).count > 1 }
    }

    /// In what some protocols differ: "count = 2000 or 5000; …".
    public static func difference(_ protocols: some Collection<MeasuringProtocol>) -> String {
        differing(protocols).map { path in
            let values = Set(protocols.map { $0[path] ?? .null })
            return "\(path) = \(values.sorted(by: comesBefore).map { $0 == .null ? "none" : $0.canonical }.joined(separator: " or "))"
        }.joined(separator: "; ")
    }

    /// What this one has at `paths`, by the last words of these: "count 2000, unconditional true".
    public func described(by paths: [String]) -> String {
        paths.map { "\($0.split(separator: ".").last ?? "") \(self[$0]?.canonical ?? "none")" }.joined(separator: ", ")
    }

    public static func comesBefore(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if let left = left.doubleValue, let right = right.doubleValue { return left < right }
        return left.canonical < right.canonical
    }
}
