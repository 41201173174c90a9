import Files
import Foundation

/// Dates as people write them in a query: `2026-11-21`, `2026-11-21T15:30`, `today`, `yesterday`, `7 days ago`.
enum HistoryDates {
    /// The text that the index has for the date; nil where `text` is none.
    static func text(_ text: String, now: Date = Date()) -> String? {
        let words = text.lowercased().split(separator: " ").map(String.init)
        if text.wholeMatch(of: /\d{4}(-\d{2}(-\d{2}([T ]\d{2}(:\d{2}(:\d{2}Z?)?)?)?)?)?/) != nil { return text.replacing(" ", with: "T") }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .current
        switch words.count {
        case 1 where words[0] == "now": return now.ISO8601Format()
        case 1 where words[0] == "today": return String(now.ISO8601Format().prefix(10))
        case 1 where words[0] == "yesterday":
            return calendar.date(byAdding: .day, value: -1, to: now).map { String($0.ISO8601Format().prefix(10)) }
        case 3 where words[2] == "ago":
            guard let count = Int(words[0]), (0...1_000_000).contains(count), let unit = units[singular(words[1])] else { return nil }
            return calendar.date(byAdding: unit.component, value: -count * unit.times, to: now)?.ISO8601Format()
        default: return nil
        }
    }

    private static func singular(_ word: String) -> String { word.hasSuffix("s") ? String(word.dropLast()) : word }

    private static let units: [String: (component: Calendar.Component, times: Int)] = [
        "second": (.second, 1), "minute": (.minute, 1), "hour": (.hour, 1), "day": (.day, 1), "week": (.day, 7),
        "month": (.month, 1), "year": (.year, 1),
    ]
}
