import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct GradientTests {
    @Test("Gradients agree with finite differences", arguments: GradientTable.rows)
    func gradients(row: GradientRow) {
        for example in row.cases() {
            let failures = GradientCheck(op: row.op, example).failures
            #expect(failures.isEmpty, "\(failures.prefix(8).joined(separator: "\n"))")
        }
    }

    /// The check is no use if it cannot fail: values that are 1 % off the gradient's must be noticed.
    @Test(arguments: [[7], [300, 130]] as [Shape])
    func checkNoticesAWrongGradient(shape: Shape) {
        let wrong = GradientCase(random(shape)) { straightThrough($0[0], value: 1.01 * $0[0]) }
        #expect(!GradientCheck(op: "wrong", wrong).failures.isEmpty)
        let right = GradientCase(random(shape)) { straightThrough($0[0], value: 1 * $0[0]) }
        #expect(GradientCheck(op: "right", right).failures.isEmpty)
    }

    /// One chunk of a large input with a wrong gradient must be noticed too.
    @Test func checkNoticesAWrongPart() {
        let wrong = GradientCase(random([4, 5000, 2])) { inputs in
            let value = inputs[0].detached().copied()
            value.overwrite { values in for i in 30_000..<31_000 { values[i] *= 1.1 } }
            return straightThrough(inputs[0], value: value)
        }
        #expect(!GradientCheck(op: "wrong part", wrong).failures.isEmpty)
    }

    /// Every public function of the ops' sources that returns a tensor has a row, and every row a function.
    @Test func tableCoversEveryOp() throws {
        let declared = try OpSources.declaredOps()
        #expect(declared.count >= 20)
        #expect(declared.count == Set(declared).count)
        let rows = GradientTable.rows.map(\.op)
        #expect(rows.count == Set(rows).count)
        #expect(Set(declared).subtracting(rows).sorted() == [], "ops without a row in the gradient table")
        #expect(Set(rows).subtracting(declared).sorted() == [], "rows without an op")
    }
}

/// The ops that Sources/TensorCore/Ops declares, read from the source text.
enum OpSources {
    static func declaredOps() throws -> [String] {
        let folder = packageRoot.appendingPathComponent("Sources/TensorCore/Ops")
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        return try files.flatMap { file in
            ops(in: try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8))
        }
    }

    /// Names with labels of the public functions in `source` that return a tensor.
    static func ops(in source: String) -> [String] {
        source.matches(of: /public (?:static )?func ([^\s(]+)\s*\(/).compactMap { match in
            // The parameters end where the parentheses close; then comes the result.
            var depth = 1
            var end = match.range.upperBound
            while depth > 0, end < source.endIndex {
                depth += source[end] == "(" ? 1 : source[end] == ")" ? -1 : 0
                end = source.index(after: end)
            }
            let parameters = source[match.range.upperBound..<source.index(before: end)]
            guard source[end...].prefixMatch(of: /\s*(?:throws\s*)?->\s*Tensor\s*[{\n]/) != nil else { return nil }
            return "\(match.1)(\(labels(of: parameters)))"
        }
    }

    /// `a b: T, c: (U, V)` → `a:c:`
    private static func labels(of parameters: Substring) -> String {
        var depth = 0
        var parts = [""]
        for character in parameters {
            depth += "([{".contains(character) ? 1 : ")]}".contains(character) ? -1 : 0
            if character == "," && depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
        }
        return parts.compactMap { $0.split(whereSeparator: { $0.isWhitespace || $0 == ":" }).first.map { $0 + ":" } }
            .joined()
    }
}
