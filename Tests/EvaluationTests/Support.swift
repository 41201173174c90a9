import Files

extension JSONValue {
    /// The number at a dotted path.
    func number(_ path: String) throws -> Double {
        guard let value = self[path: path]?.doubleValue else { throw InputError("no number at \(path) in \(canonical)") }
        return value
    }

    func numbers(_ path: String) throws -> [Double] {
        guard let values = self[path: path]?.arrayValue else { throw InputError("no list at \(path) in \(canonical)") }
        return values.compactMap(\.doubleValue)
    }
}

func relativeError(_ value: Double, _ expected: Double) -> Double { abs(value - expected) / abs(expected) }
