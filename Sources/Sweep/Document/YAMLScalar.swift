import Files
import Settings

/// What a plain scalar is, by YAML 1.2's core schema: `1e-3`, `0x1F` and `0o17` are numbers, `null`, `Null`, `NULL` and `~`
/// are null, and of the booleans only `true` and `false`.
///
/// What programs read differently stays text, so that it is refused where a number is wanted: `010` (eight or ten), `1_000`,
/// `yes`, `1:30`, dates.
enum YAMLScalar {
    static func value(of text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default: return number(text) ?? .string(text)
        }
    }

    /// What the writer of a text may have meant where another type is wanted; nil where nothing comes to mind.
    static func advice(_ text: String, kind: ValueKind, unit: String?) -> String? {
        let lower = text.lowercased()
        if case .bool = kind {
            if ["yes", "y", "on", "true"].contains(lower) { return "did you mean true?" }
            if ["no", "n", "off", "false"].contains(lower) { return "did you mean false?" }
            return nil
        }
        guard kind == .int || kind == .float else { return nil }
        if [".inf", "+.inf", "-.inf", "inf", "infinity", "-inf", ".nan", "nan"].contains(lower) {
            return "it must be a finite number"
        }
        if number(text) != nil { return "write it without quotes" }
        if let plain = number(text.replacing("_", with: "").replacing(",", with: "")), text.first?.isNumber == true,
            !text.hasPrefix("0")
        {
            return "write \(plain.canonical)"
        }
        if text.wholeMatch(of: /[-+]?0[0-9]+/) != nil {
            return "some programs read a leading 0 as octal; write \(text.replacing(/^([-+]?)0+(?=.)/) { String($0.1) })"
        }
        if text.wholeMatch(of: /[-+]?[0-9.]+([eE][-+]?[0-9]+)?/) != nil { return "it is no number that a computer holds" }
        return withUnit(text, kind: kind, unit: unit)
    }

    /// `1.5k`, `50%`, `100 steps`, `10 epochs`.
    private static func withUnit(_ text: String, kind: ValueKind, unit: String?) -> String? {
        guard let match = text.wholeMatch(of: /([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?) *([A-Za-z%]+)/),
            let value = number(String(match.1))?.doubleValue
        else { return nil }
        let suffix = match.2.lowercased()
        func write(_ factor: Double) -> String { "write \(JSONValue.normalized(value * factor).canonical)" }
        switch suffix {
        case "k": return write(1e3)
        case "m": return write(1e6)
        case "%": return write(0.01)
        case "epoch", "epochs":
            return "there are no epochs here: one is as many steps as images divided by the batch"
        default:
            guard let unit else { return "write the number alone" }
            let isUnit = unit.hasPrefix(suffix) || suffix.hasPrefix(unit) || suffix == "px" && unit == "pixels"
            return isUnit ? write(1) : "it is counted in \(unit); write the number alone"
        }
    }

    /// Decimal, hexadecimal (`0x`) and octal (`0o`) numbers; nil for anything else, leading zeros and what is not finite
    /// included.
    private static func number(_ text: String) -> JSONValue? {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= 400, isDigit(first) || "+-.".utf8.contains(first) else { return nil }
        if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16).flatMap { text.contains("-") ? nil : .int($0) } }
        if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8).flatMap { text.contains("-") ? nil : .int($0) } }
        var place = "+-".utf8.contains(first) ? 1 : 0
        func digits() -> Int {
            let start = place
            while place < bytes.count, isDigit(bytes[place]) { place += 1 }
            return place - start
        }
        let start = place
        let whole = digits()
        if whole > 1, bytes[start] == UInt8(ascii: "0") { return nil }
        var (isWhole, fraction) = (true, 0)
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
            place += 1
            isWhole = false
            fraction = digits()
        }
        guard whole + fraction > 0 else { return nil }
        if place < bytes.count, bytes[place] | 0x20 == UInt8(ascii: "e") {
            place += 1
            isWhole = false
            if place < bytes.count, "+-".utf8.contains(bytes[place]) { place += 1 }
            guard digits() > 0 else { return nil }
        }
        guard place == bytes.count else { return nil }
        if isWhole, let value = Int(text) { return .int(value) }
        return Double(text).flatMap { $0.isFinite ? .number($0) : nil }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
}
