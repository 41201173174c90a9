extension String {
    /// The same with every control character spelt out, `\u{1b}` for an escape, so that a text from a file cannot move a terminal's
    /// cursor, colour it or turn its writing round. Line breaks and tabs stay where `keepsLines` says so.
    public func printable(keepsLines: Bool = false) -> String {
        guard unicodeScalars.contains(where: Self.isControl) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            if !Self.isControl(scalar) || keepsLines && (scalar == "\n" || scalar == "\t") {
                result.unicodeScalars.append(scalar)
            } else {
                result += scalar == "\n" ? "\\n" : scalar == "\t" ? "\\t" : "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // C0 and C1 controls; marks that turn the direction of writing.
        case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x202a...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
