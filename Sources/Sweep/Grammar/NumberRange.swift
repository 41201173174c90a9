import Files
import Foundation
import Settings

/// The values of an axis: a list, or one of `{range: [from, to, step]}`, `{linspace: [from, to, n]}` and
/// `{logspace: [from, to, n]}`.
enum NumberRange {
    static let names = ["range", "linspace", "logspace"]
    private static let most = 10_000

    /// Whether a map is one of the three forms rather than something else.
    static func isRange(_ value: SourceValue) -> Bool {
        guard let entries = value.entries, entries.count == 1 else { return false }
        return names.contains(entries[0].key)
    }

    /// The listed or computed values; `path` is named in errors.
    static func values(of value: SourceValue, path: String) throws -> [SourceValue] {
        if let items = value.items {
            guard !items.isEmpty else { throw value.place.error("\(path) has no values, so there is nothing to run") }
            return items
        }
        guard let entries = value.entries else {
            throw value.place.error("\(path) must be a list of values, such as [\(value.shown)]")
        }
        guard isRange(value) else {
            throw value.place.error(
                "\(path) must be a list, or a map with one of \(names.joined(separator: ", "))"
                    + Schema.hint(for: entries.first?.key ?? "", among: names))
        }
        return try expand(entries[0], path: path).map { .plain(JSONValue.normalized($0), at: entries[0].place) }
    }

    private static func expand(_ entry: SourceEntry, path: String) throws -> [Double] {
        let kind = entry.key
        func fail(_ message: String) -> InputError {
            entry.place.error("\(path): \(kind) \(entry.value.shown) \(message)")
        }
        let numbers = (entry.value.items ?? []).compactMap(\.json.doubleValue)
        guard numbers.count == 3, entry.value.items?.count == 3 else {
            throw fail(kind == "range" ? "must be [from, to, step]" : "must be [from, to, number of values]")
        }
        let (from, to, third) = (numbers[0], numbers[1], numbers[2])
        if kind == "range" {
            guard third != 0, from == to || (to > from) == (third > 0) else { throw fail("never reaches its end") }
            // A step that lands on the end within rounding includes it.
            let steps = ((to - from) / third * (1 + 1e-12) + 1e-9).rounded(.down)
            guard steps < Double(most) else { throw fail("has more than \(most) values") }
            return (0...Int(steps)).map { tidy(from + Double($0) * third) }
        }
        guard third >= 1, third <= Double(most), third == third.rounded() else {
            throw fail("must ask for a whole number of values from 1 to \(most)")
        }
        let count = Int(third)
        let shares = (0..<count).map { count == 1 ? 0 : Double($0) / Double(count - 1) }
        if kind == "linspace" { return shares.map { tidy(from + (to - from) * $0) } }
        guard from > 0, to > 0 else { throw fail("needs ends greater than 0") }
        return shares.map { tidy(from * pow(to / from, $0)) }
    }

    /// Twelve digits: 0.3 rather than 0.30000000000000004.
    private static func tidy(_ value: Double) -> Double {
        guard value != 0 else { return 0 }
        return Double(String(format: "%.12g", value)) ?? value
    }
}
