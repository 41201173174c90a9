import Foundation

/// The store's JSON files: readable, in key order, written atomically, dates as `2026-11-21T15:30:12Z`.
///
/// The last member of a record is the SHA-256 of the text without it, so that a changed digit is noticed when the record is
/// read. A record that another program has written anew has no such line, and is taken as it is.
public enum RecordFile {
    public static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        return encoder
    }

    public static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }

    /// Lists are written as the member `entries` of an object, which has a place for the checksum.
    public static func write(_ value: some Encodable, to url: URL) throws {
        var json = try JSONValue(parsing: encoder.encode(value))
        if case .array = json { json = ["entries": json] }
        try AtomicFile.write(sealed(Data(json.pretty.utf8)), to: url)
    }

    /// The record at `url`, nil where there is no file. An `InputError` says whether it is damaged or cannot be read.
    public static func read<Value: Decodable>(_ url: URL, as type: Value.Type = Value.self) throws -> Value? {
        let data: Data
        do { data = try Data(contentsOf: url) } catch {
            guard try isPresent(url) else { return nil }
            throw InputError(file: url.path, cannot: "read", because: error)
        }
        guard isIntact(data) else {
            throw InputError(file: url.path, isDamage: true, "is damaged: its content does not match its checksum")
        }
        do {
            // Lists of earlier versions stand by themselves.
            let isWrapped = type is any List.Type && data.first { !" \n\r\t".utf8.contains($0) } == UInt8(ascii: "{")
            return isWrapped ? try decoder.decode(Entries<Value>.self, from: data).entries : try decoder.decode(type, from: data)
        } catch let DecodingError.keyNotFound(key, _) {
            throw InputError(file: url.path, isDamage: true, "lacks the key '\(key.stringValue)'")
        } catch let DecodingError.typeMismatch(expected, context), let DecodingError.valueNotFound(expected, context) {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw InputError(file: url.path, isDamage: true, "has no \(expected) at '\(path)'")
        } catch {
            throw InputError(file: url.path, isDamage: true, "is not valid JSON: it may have been edited or cut short")
        }
    }

    /// What a cache keeps; nil where there is nothing, or nothing that can be read, which `say` is told of.
    public static func readCache<Value: Decodable>(_ url: URL, as type: Value.Type = Value.self, say: (String) -> Void) -> Value? {
        do { return try read(url) } catch {
            say("\(error); it is made again")
            return nil
        }
    }

    /// Keeps what can be made again. Where nothing can be written it is made again next time.
    public static func writeCache(_ value: some Encodable, to url: URL) {
        let folder = url.deletingLastPathComponent()
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try? AtomicFile.removeLeftovers(in: folder)
        try? write(value, to: url)
    }

    public static func makeDirectory(_ url: URL) throws {
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw InputError(file: url.path, cannot: "make this folder", because: error)
        }
    }

    /// The names in a folder, sorted, hidden ones left out; empty where there is no folder.
    public static func names(in folder: URL) throws -> [String] { try Files.names(in: folder).filter { !$0.hasPrefix(".") } }

    /// `entries` of a list that was written with its checksum.
    private struct Entries<Value: Decodable>: Decodable { let entries: Value }

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

private protocol List {}
extension Array: List {}
