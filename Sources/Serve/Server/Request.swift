import Foundation

/// What a client asks for, taken apart: nothing of it is ever used as a path of a file.
struct Request: Sendable {
    let method: String
    /// The parts of the path between slashes, decoded.
    let path: [String]
    /// The first value of each key.
    let query: [String: String]
    private let pairs: [(key: String, value: String)]
    /// The versions of the parts that a page has, by id, where only other ones are wanted; nil: the whole page is.
    var held: [String: String]?
    /// Fields of a form that was posted.
    var form: [String: String] = [:]

    /// Nil where the target is no path of this server: an address of another one, broken escapes, parts such as `..`.
    init?(method: String, target: String) {
        guard target.utf8.count <= Self.longestTarget, target.first == "/" else { return nil }
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = halves[0].dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        var path: [String] = []
        for part in parts {
            guard let decoded = part.removingPercentEncoding, Self.isPlain(decoded) else { return nil }
            path.append(decoded)
        }
        if path == [""] { path = [] }
        guard !path.contains("") else { return nil }
        guard let pairs = Self.pairs(halves.count > 1 ? String(halves[1]) : "") else { return nil }
        (self.method, self.path, self.pairs) = (method, path, pairs)
        query = Dictionary(pairs.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    static let longestTarget = 4096

    /// Names of sweeps may have spaces and slashes, which come escaped; no name has control characters or is made of dots.
    private static func isPlain(_ part: String) -> Bool {
        part != "." && part != ".." && !part.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f || $0 == "\\" }
    }

    /// Every value of a key.
    func all(_ key: String) -> [String] { pairs.filter { $0.key == key }.map(\.value) }

    /// The fields of a form, of several values of one the first; nil where it cannot be read.
    static func fields(_ text: String) -> [String: String]? {
        pairs(text).map { Dictionary($0.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first }) }
    }

    /// `a=1&b=two+words`, decoded; nil where an escape is broken or there are too many fields.
    private static func pairs(_ text: String) -> [(key: String, value: String)]? {
        let parts = text.split(separator: "&")
        guard parts.count <= 64 else { return nil }
        var pairs: [(key: String, value: String)] = []
        for part in parts {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.replacing("+", with: " ").removingPercentEncoding
            }
            guard let key = sides[0], let value = sides.count > 1 ? sides[1] : "", !value.contains("\0") else { return nil }
            pairs.append((key, value))
        }
        return pairs
    }
}
