import Files
import Foundation

/// The store's JSON files: readable, in key order, written atomically, dates as `2026-11-21T15:30:12Z`.
///
/// The last member of a record is the SHA-256 of the text without it, so that a changed digit is noticed when the record is
/// read. A record that another program has written anew has no such line, and is taken as it is.
enum RecordFile {
    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        return encoder
    }

    static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }

    static func write(_ value: some Encodable, to url: URL) throws {
        let text = try JSONValue(parsing: encoder.encode(value)).pretty
        try AtomicFile.write(sealed(Data(text.utf8)), to: url)
    }

    /// The record at `url`, nil where there is no file. An `InputError` says whether it is damaged or cannot be read.
    static func read<Value: Decodable>(_ url: URL, as type: Value.Type = Value.self) throws -> Value? {
        let data: Data
        do { data = try Data(contentsOf: url) } catch {
            guard try isPresent(url) else { return nil }
            throw InputError(file: url.path, cannot: "read", because: error)
        }
        guard isIntact(data) else {
            throw InputError(file: url.path, isDamage: true, "is damaged: its content does not match its checksum")
        }
        do {
            return try decoder.decode(type, from: data)
        } catch let DecodingError.keyNotFound(key, _) {
            throw InputError(file: url.path, isDamage: true, "lacks the key '\(key.stringValue)'")
        } catch let DecodingError.typeMismatch(expected, context), let DecodingError.valueNotFound(expected, context) {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw InputError(file: url.path, isDamage: true, "has no \(expected) at '\(path)'")
        } catch {
            throw InputError(file: url.path, isDamage: true, "is not valid JSON: it may have been edited or cut short")
        }
    }

    static func makeDirectory(_ url: URL) throws {
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw InputError(file: url.path, cannot: "make this folder", because: error)
        }
    }

    /// The names in a folder, sorted, hidden ones left out; empty where there is no folder.
    static func names(in folder: URL) throws -> [String] { try Files.names(in: folder).filter { !$0.hasPrefix(".") } }

    // MARK: Checksum

    private static let end = Data("\n}\n".utf8)
    private static let mark = Data(",\n  \"sha256\": \"".utf8)
    /// Behind the 64 digits.
    private static let close = Data("\"\n}\n".utf8)

    /// The text of an object with its checksum as the last member; other values have no place for one.
    private static func sealed(_ text: Data) -> Data {
        guard text.suffix(end.count) == end, text.count > end.count + 1 else { return text }
        return text.dropLast(end.count) + mark + Data(sha256(text).utf8) + close
    }

    /// False where there is a checksum, and it is not that of the rest.
    private static func isIntact(_ data: Data) -> Bool {
        let length = mark.count + 64 + close.count
        guard data.count > length, data.suffix(close.count) == close else { return true }
        let content = data.prefix(data.count - length)
        let line = data.suffix(length)
        guard line.prefix(mark.count) == mark else { return true }
        return Data(sha256(content + end).utf8) == line.dropFirst(mark.count).prefix(64)
    }
}
