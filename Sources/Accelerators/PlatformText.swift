import TensorCore

extension TracedProgram {
    /// Texts as the compiler of a platform takes them, the most wanted first: with forms that it has of its own, and plain.
    ///
    /// That for CPUs has no products of bfloat16 numbers with results of float32: their factors are made float32 first, which
    /// changes no number.
    func texts(for platform: String) -> [String] {
        let texts = [ownTexts[platform], text].compactMap { $0 }
        return platform == "cpu" ? texts.map(Self.widened(text:)) : texts
    }

    private static func widened(text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(widened(line:)).joined(separator: "\n")
    }

    /// `%3 = stablehlo.dot_general %1, %2, … : (tensor<…xbf16>, tensor<…xbf16>) -> tensor<…xf32>`, or any other line.
    private static func widened(line: Substring) -> String {
        guard line.contains("stablehlo.dot_general"), line.hasSuffix("f32>"), line.contains("bf16>, "),
            let (name, factors, rest, types) = parts(line)
        else { return String(line) }
        let wide = types.map { $0.replacing("bf16", with: "f32") }
        let names = ["a", "b"].map { "%\($0)\(name.dropFirst())" }
        let conversions = (0..<2).map { "    \(names[$0]) = stablehlo.convert \(factors[$0]) : (\(types[$0])) -> \(wide[$0])\n" }
        return conversions.joined()
            + "    \(name) = stablehlo.dot_general \(names[0]), \(names[1]), \(rest) : (\(wide[0]), \(wide[1])) -> \(line.split(separator: " ").last ?? "")"
    }

    private static func parts(_ line: Substring) -> (name: Substring, factors: [Substring], rest: Substring, types: [Substring])? {
        guard let equals = line.firstRange(of: " = stablehlo.dot_general "), let colon = line.firstRange(of: " : ("),
            let arrow = line.firstRange(of: ") -> ")
        else { return nil }
        let name = line[..<equals.lowerBound].drop { $0 == " " }
        let operands = line[equals.upperBound..<colon.lowerBound].split(separator: ", ", maxSplits: 2)
        let types = line[colon.upperBound..<arrow.lowerBound].split(separator: ", ")
        guard operands.count == 3, types.count == 2 else { return nil }
        return (name, Array(operands[..<2]), operands[2], types)
    }
}
