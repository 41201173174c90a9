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

    /// The members whose values are not the same in all of `protocols`, sorted.
    public static func differing(_ protocols: some Collection<MeasuringProtocol>) -> [String] {
        let keys = Set(protocols.flatMap(\.members.keys)).sorted()
        return keys.filter { key in Set(protocols.map { $0.members[key] }).count > 1 }
    }

    /// In what some protocols differ: "count = 2000 or 5000; …".
    public static func difference(_ protocols: some Collection<MeasuringProtocol>) -> String {
        differing(protocols).map { key in
            let values = Set(protocols.map { $0.members[key] ?? .null })
            return "\(key) = \(values.sorted(by: comesBefore).map { $0 == .null ? "none" : $0.canonical }.joined(separator: " or "))"
        }.joined(separator: "; ")
    }

    /// What this one has of `keys`: "count 2000, splits 10".
    public func described(by keys: [String]) -> String {
        keys.map { "\($0) \(members[$0]?.canonical ?? "none")" }.joined(separator: ", ")
    }

    public static func comesBefore(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if let left = left.doubleValue, let right = right.doubleValue { return left < right }
        return left.canonical < right.canonical
    }
}
