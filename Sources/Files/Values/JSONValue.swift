import Foundation

/// A JSON document as a value: what resolved settings, provenance and scores are written in.
///
/// Two values that are equal have the same `canonical` text, which is what stage hashes are taken over.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    public subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    /// The member at a dotted path such as `tokenizer.loss.l1`.
    public subscript(path path: String) -> JSONValue? {
        path.split(separator: ".").reduce(Optional(self)) { value, key in value?[String(key)] }
    }

    /// The leaves under dotted keys that begin with `path`, sorted. Lists are leaves.
    public func flattened(under path: String = "") -> [(key: String, value: JSONValue)] {
        guard case .object(let members) = self else { return [(path, self)] }
        return members.sorted { $0.key < $1.key }.flatMap { key, member in
            member.flattened(under: path.isEmpty ? key : "\(path).\(key)")
        }
    }

    public var doubleValue: Double? {
        switch self {
        case .int(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    public var intValue: Int? { if case .int(let value) = self { value } else { nil } }
    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var arrayValue: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    public var objectValue: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }

    /// One line, members in key order, shortest number that reads back the same; non-finite numbers become null.
    public var canonical: String { Self.write(self, indent: nil) }

    /// The same content for people: two-space indents, one member a line.
    public var pretty: String { Self.write(self, indent: 0) + "\n" }

    private static func write(_ value: JSONValue, indent: Int?) -> String {
        func block(_ open: String, _ items: [String], _ close: String) -> String {
            guard let indent, !items.isEmpty else { return open + items.joined(separator: ",") + close }
            let inner = String(repeating: "  ", count: indent + 1)
            let outer = String(repeating: "  ", count: indent)
            return "\(open)\n\(inner)" + items.joined(separator: ",\n\(inner)") + "\n\(outer)\(close)"
        }
        let deeper = indent.map { $0 + 1 }
        switch value {
        case .null: return "null"
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let number): return String(number)
        case .number(let number): return number.isFinite ? "\(number)" : "null"
        case .string(let text): return quoted(text)
        case .array(let items):
            // Short arrays of plain values read better on one line.
            let plain = items.allSatisfy { if case .object = $0 { false } else if case .array = $0 { false } else { true } }
            if plain { return "[" + items.map { write($0, indent: nil) }.joined(separator: indent == nil ? "," : ", ") + "]" }
            return block("[", items.map { write($0, indent: deeper) }, "]")
        case .object(let members):
            let colon = indent == nil ? ":" : ": "
            return block(
                "{",
                members.sorted { $0.key < $1.key }.map {
                    quoted($0.key) + colon + write($0.value, indent: deeper)
                }, "}")
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .int(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .int(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    public init(parsing data: Data) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: data)
    }

    /// Any encodable value as JSON, and back.
    public init(encoding value: some Encodable) throws {
        self = try JSONValue(parsing: JSONEncoder().encode(value))
    }

    public func decode<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(canonical.utf8))
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { _, last in last }))
    }
}
