import Evaluation
import Foundation
import Report
import TestSupport
import Testing

/// Tables as pdfLaTeX sets them.
@Suite struct LatexTests {
    /// Lines of text that are wider or higher than the page, and characters without a glyph, as LaTeX's log names them.
    private func complaints(about body: String) throws -> [String] {
        try withTemporaryFolder { folder in
            let text = """
                \\documentclass{article}
                \\usepackage{booktabs,graphicx}
                \\begin{document}
                \(body)
                \\end{document}

                """
            try Data(text.utf8).write(to: folder.appendingPathComponent("paper.tex"))
            try runProgram("pdflatex", ["-interaction=nonstopmode", "-halt-on-error", "paper.tex"], in: folder)
            let log = String(decoding: try Data(contentsOf: folder.appendingPathComponent("paper.log")), as: UTF8.self)
            return log.split(separator: "\n").filter { $0.hasPrefix("Overfull") || $0.contains("Missing character") }.map(String.init)
        }
    }

    private func table(columns: Int, rows: Int, named name: String) -> Table {
        var table = Table(
            columns: [.text(name)] + (0..<columns).map { .number("score [\($0)]", key: "\($0)", unit: "%", better: .lower) })
        for row in 0..<rows {
            table.add([.text("[\(row)] \(name)")] + (0..<columns).map { .estimate(Estimate(of: [Double(row), Double(row + $0 + 1)])) })
        }
        table.add(footnote: "± is the 95 % interval of \(name)")
        return table
    }

    @Test(
        .enabled(if: hasLatex, "pdflatex with booktabs and graphicx is not installed"),
        arguments: [(2, 2), (14, 3), (12, 12), (3, 130), (0, 0)])
    func tablesFitAPage(_ columns: Int, _ rows: Int) throws {
        let name = "a_b & c% #1 $x$ {y} \\z ~ ^ < > | \"q\" é ß Ł σ Ω µ 中 🙂 − – — … · ² × ± ∞ ≤ \u{1B}[31m"
        let complaints = try complaints(about: table(columns: columns, rows: rows, named: rows == 2 ? name : "arm").latex())
        #expect(complaints.isEmpty, "\(complaints)")
    }
}
