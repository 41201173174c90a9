import Foundation

/// Element types of the safetensors format that can be read here.
public enum SafetensorsType: String, CaseIterable, Sendable {
    case float64 = "F64", float32 = "F32", float16 = "F16", bfloat16 = "BF16"
    case int64 = "I64", int32 = "I32", int16 = "I16", int8 = "I8"
    case uint64 = "U64", uint32 = "U32", uint16 = "U16", uint8 = "U8", bool = "BOOL"

    public var byteCount: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool: 1
        }
    }
}

/// What the head of a safetensors file says: 8 bytes of length, that many bytes of JSON, then the data.
///
/// Reading it checks everything a later access relies on: every tensor's bytes lie inside the file, have exactly the
/// length its shape asks for, and the tensors fill the data part without overlap or gap.
struct SafetensorsHeader {
    struct Entry {
        var type: SafetensorsType
        var shape: [Int]
        /// Bytes counted from the start of the data part.
        var range: Range<Int>
    }

    var entries: [String: Entry] = [:]
    var metadata: [String: String] = [:]
    /// Where in the file the data part starts.
    var dataStart: Int

    init(of data: Data, file: String) throws {
        guard data.count >= 8 else {
            throw InputError(file: file, "not a safetensors file: \(data.count) bytes, the header length alone takes 8")
        }
        let length = data.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length >= 2, length <= UInt64(data.count - 8) else {
            throw InputError(
                file: file,
                "the header says it is \(length) bytes long, but \(data.count - 8) bytes follow: truncated, or not safetensors")
        }
        dataStart = 8 + Int(length)
        let text = data.subdata(in: 8..<dataStart)
        guard let json = try? JSONValue(parsing: text), let members = json.objectValue else {
            throw InputError(file: file, "the header (bytes 8..<\(dataStart)) is not a JSON object")
        }
        if let name = Self.repeatedKey(in: text) {
            throw InputError(file: file, "the header has two entries named '\(name)'")
        }
        for (name, value) in members {
            if name == "__metadata__" {
                metadata = try Self.metadata(value, file: file)
            } else {
                entries[name] = try Self.entry(name, value, file: file)
            }
        }
        try checkLayout(dataLength: data.count - dataStart, file: file)
    }

    private static func metadata(_ value: JSONValue, file: String) throws -> [String: String] {
        guard let members = value.objectValue else {
            throw InputError(file: file, "__metadata__ is not an object of strings")
        }
        return try Dictionary(
            uniqueKeysWithValues: members.map { key, value in
                guard let text = value.stringValue else {
                    throw InputError(file: file, "__metadata__.\(key) is not a string: \(value.canonical)")
                }
                return (key, text)
            })
    }

    private static func entry(_ name: String, _ value: JSONValue, file: String) throws -> Entry {
        func bad(_ message: String) -> InputError { InputError(file: file, "tensor '\(name)': \(message)") }
        func wholeNumbers(_ key: String) throws -> [Int] {
            let numbers = value[key]?.arrayValue?.map { $0.intValue ?? -1 }
            guard let numbers, numbers.allSatisfy({ $0 >= 0 }) else {
                throw bad("\(key) is not a list of non-negative whole numbers: \(value[key]?.canonical ?? "missing")")
            }
            return numbers
        }
        guard let typeName = value["dtype"]?.stringValue else { throw bad("dtype is missing") }
        guard let type = SafetensorsType(rawValue: typeName) else {
            let known = SafetensorsType.allCases.map(\.rawValue).joined(separator: ", ")
            throw bad("dtype '\(typeName)' is not one of \(known)")
        }
        let shape = try wholeNumbers("shape")
        let offsets = try wholeNumbers("data_offsets")
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw bad("data_offsets is not [begin, end]: \(offsets)")
        }
        var expected = type.byteCount
        for size in shape {
            let (product, overflow) = expected.multipliedReportingOverflow(by: size)
            guard !overflow else { throw bad("shape \(shape) has more elements than can be addressed") }
            expected = product
        }
        guard offsets[1] - offsets[0] == expected else {
            throw bad("\(typeName) of shape \(shape) takes \(expected) bytes, data_offsets \(offsets) hold \(offsets[1] - offsets[0])")
        }
        return Entry(type: type, shape: shape, range: offsets[0]..<offsets[1])
    }

    private func checkLayout(dataLength: Int, file: String) throws {
        var end = 0
        var previous = "the header"
        let inOrder = entries.sorted {
            ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key)
                < ($1.value.range.lowerBound, $1.value.range.upperBound, $1.key)
        }
        for (name, entry) in inOrder {
            let range = entry.range
            guard range.upperBound <= dataLength else {
                throw InputError(
                    file: file,
                    "tensor '\(name)' ends at byte \(dataStart + range.upperBound), the file at \(dataStart + dataLength): truncated?")
            }
            guard range.lowerBound >= end else {
                throw InputError(
                    file: file,
                    "tensors '\(previous)' and '\(name)' overlap at byte \(dataStart + range.lowerBound)")
            }
            guard range.lowerBound == end else {
                throw InputError(
                    file: file,
                    "bytes \(dataStart + end)..<\(dataStart + range.lowerBound) between '\(previous)' and '\(name)' belong to no tensor")
            }
            (end, previous) = (range.upperBound, name)
        }
        guard end == dataLength else {
            throw InputError(file: file, "the last \(dataLength - end) bytes belong to no tensor")
        }
    }

    /// The first key that the outermost object holds twice; JSON parsers drop all but one of them silently.
    private static func repeatedKey(in text: Data) -> String? {
        var seen: Set<String> = []
        var depth = 0
        var stringStart: Int?
        var lastString: Range<Int>?
        var escaped = false
        let bytes = [UInt8](text)
        for (i, byte) in bytes.enumerated() {
            if let start = stringStart {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    (stringStart, lastString) = (nil, start..<i + 1)
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): stringStart = i
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ":") where depth == 1:
                guard let range = lastString, let key = try? JSONValue(parsing: Data(bytes[range])).stringValue else { continue }
                if !seen.insert(key).inserted { return key }
            default: continue
            }
        }
        return nil
    }
}
