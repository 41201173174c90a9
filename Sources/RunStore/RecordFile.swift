import Files
import Foundation

/// The store's JSON files: readable, in key order, written atomically, dates as `2026-11-21T15:30:12Z`.
enum RecordFile {
    static func write(_ value: some Encodable, to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        let text = try JSONValue(parsing: encoder.encode(value)).pretty
        do {
            try AtomicFile.write(Data(text.utf8), to: url)
        } catch let error as InputError {
            throw error
        } catch {
            throw InputError(file: url.path, "cannot write: \(reason(for: error))")
        }
    }

    /// The record at `url`, nil where there is no file; an unreadable or malformed one is an `InputError`.
    static func read<Value: Decodable>(_ url: URL, as type: Value.Type = Value.self) throws -> Value? {
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do {
            return try decoder.decode(type, from: Data(contentsOf: url))
        } catch let DecodingError.keyNotFound(key, _) {
            throw InputError(file: url.path, "lacks the key '\(key.stringValue)'")
        } catch let DecodingError.typeMismatch(expected, context), let DecodingError.valueNotFound(expected, context) {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw InputError(file: url.path, "has no \(expected) at '\(path)'")
        } catch is DecodingError {
            throw InputError(file: url.path, "is not valid JSON: it may have been edited or cut short")
        } catch {
            throw InputError(file: url.path, "cannot be read: \(reason(for: error))")
        }
    }

    static func makeDirectory(_ url: URL) throws {
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw InputError(file: url.path, "cannot make this folder: \(reason(for: error))")
        }
    }

    /// The names in a folder, sorted, hidden ones left out; empty where there is no folder.
    static func names(in url: URL) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }

    /// The system's words for a Foundation error.
    private static func reason(for error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileWriteOutOfSpace: return "the disk is full"
        case .fileWriteNoPermission, .fileReadNoPermission: return "no permission"
        case .fileWriteVolumeReadOnly: return "the file system is read-only"
        default: return error.localizedDescription
        }
    }
}
