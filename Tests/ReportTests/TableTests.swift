import Evaluation
import Files
import Foundation
import Report
import TestSupport
import Testing

@Suite struct TableTests {
    /// Two arms over three seeds, one arm of a single seed whose probe failed.
    private func table() -> Table {
        var table = Table(columns: [
            .text("arm"),
            .number("gFID", key: "gfid", decimals: 1, better: .lower),
            .number("probe", key: "probe", unit: "%", decimals: 1, better: .higher),
            .number("steps", decimals: 0),
        ])
        table.add([.text("baseline-2d"), .estimate(Estimate(of: [29.4, 27.6, 28.8])), .number(56.04), .number(1000)])
        table.add([.text("prologue, \"K=8\""), .estimate(Estimate(of: [25.5, 25.7, 25.0])), .number(74.91), .number(1000)])
        table.add([.text("post"), .estimate(Estimate(of: [25.0])), .missing, .number(1000)])
        table.add(footnote: "± is the 95 % interval over seeds_n.")
        return table
    }

    @Test func textIsAlignedAndMarksTheBest() {
        let expected = """
            arm                          gFID   probe [%]  steps
            ───────────────  ─────────────────  ─────────  ─────
            baseline-2d      28.6 ± 2.3 (n=3)       56.0    1000
            prologue, "K=8"  25.4 ± 0.9 (n=3)       74.9*   1000
            post                   25.0 (n=1)          –    1000

            ± is the 95 % interval over seeds_n.

            """
        #expect(table().text() == expected)
    }

    @Test func markdownIsReadBackByItsRules() {
        let lines = table().markdown().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines[0] == "| arm | gFID | probe \\[%\\] | steps |")
        #expect(lines[1] == "| :-- | --: | --: | --: |")
        #expect(lines[2] == "| baseline-2d | 28.6 ± 2.3 (n=3) | 56.0 | 1000 |")
        #expect(lines[3] == "| prologue, \"K=8\" | 25.4 ± 0.9 (n=3) | **74.9** | 1000 |")
        #expect(lines[4] == "| post | 25.0 (n=1) | – | 1000 |")
        #expect(lines[6] == "± is the 95 % interval over seeds\\_n.")
    }

    @Test func latexEscapesAndMarks() {
        let latex = table().latex()
        #expect(latex.contains("\\begin{tabular}{lrrr}\n\\toprule\narm & gFID & probe [\\%] & steps \\\\\n\\midrule\n"))
        #expect(latex.contains("post & 25.0 (n=1) & -- & 1000 \\\\\n\\bottomrule\n\\end{tabular}}\n"))
        #expect(latex.contains("& \\textbf{74.9} &"))
        #expect(latex.hasPrefix("% needs \\usepackage{booktabs,graphicx}\n"))
        #expect(latex.contains("25.4 $\\pm$ 0.9 (n=3)"))
        #expect(latex.contains("seeds\\_n."))
    }

    @Test func csvIsReadByPython() throws {
        let rows = try pythonJSON(
            "import csv; print(json.dumps(list(csv.DictReader(open('input', newline='', encoding='utf-8')))))",
            input: table().csv())
        let estimate = try #require(Estimate(of: [29.4, 27.6, 28.8]))
        let first = try #require(rows.arrayValue?.first)
        #expect(first["gfid"]?.stringValue.flatMap(Double.init) == estimate.mean)
        #expect(first["gfid.sd"]?.stringValue.flatMap(Double.init) == estimate.standardDeviation)
        #expect(first["gfid.low"]?.stringValue.flatMap(Double.init) == estimate.interval?.low)
        #expect(first["gfid.high"]?.stringValue.flatMap(Double.init) == estimate.interval?.high)
        #expect(first["gfid.n"] == "3" && first["probe"] == "56.04" && first["steps"] == "1000")
        #expect(rows.arrayValue?[1]["arm"] == "prologue, \"K=8\"")
        let last = try #require(rows.arrayValue?[2])
        #expect(last["probe"] == "" && last["gfid"] == "25" && last["gfid.sd"] == "" && last["gfid.n"] == "1")
    }

    @Test func jsonIsReadByPython() throws {
        var table = table()
        table.add([.text("broken\n"), .number(0.1 + 0.2), .number(Double.nan), .number(Double.infinity)])
        let read = try pythonJSON("print(json.dumps(json.load(open('input'))))", input: table.json.pretty)
        let rows = try #require(read["rows"]?.arrayValue)
        #expect(read["columns"]?.arrayValue?[2] == ["key": "probe", "title": "probe", "unit": "%", "better": "higher"])
        #expect(rows[1]["gfid"]?["mean"]?.doubleValue == Estimate(of: [25.5, 25.7, 25.0])?.mean)
        #expect(rows[2]["gfid"]?["low"] == .null && rows[2]["probe"] == .null)
        #expect(rows[3] == ["arm": "broken\n", "gfid": .number(0.1 + 0.2), "probe": .null, "steps": .null])
        #expect(read["footnotes"] == ["± is the 95 % interval over seeds_n."])
    }

    @Test func bestIsJudgedByWhatIsShown() {
        func marked(_ values: [Double?], _ better: Table.Better) -> [Int] {
            var table = Table(columns: [.text("arm"), .number("x", decimals: 1, better: better)])
            for value in values { table.add([.text("a"), .number(value)]) }
            return table.markdown().split(separator: "\n").dropFirst(2).enumerated().filter { $1.contains("**") }.map(\.offset)
        }
        #expect(marked([3, 1, 2], .lower) == [1])
        #expect(marked([3, 1, 2], .higher) == [0])
        #expect(marked([1.04, 1.0, 2], .lower) == [0, 1], "both read 1.0")
        #expect(marked([1, 1.01, nil], .lower) == [], "all the same")
        #expect(marked([1, nil], .lower) == [], "nothing to compare with")
        #expect(marked([.nan, 5, 7], .lower) == [1])
        #expect(marked([-0.01, 0.01, 3], .lower) == [0, 1], "minus zero is zero")
    }

    /// An estimate is best only where its interval overlaps no other.
    @Test func bestEstimateIsMarkedWhereItIsClear() {
        func marked(_ values: [[Double]], _ better: Table.Better) -> [Int] {
            var table = Table(columns: [.text("arm"), .number("x", decimals: 1, better: better)])
            for value in values { table.add([.text("a"), .estimate(Estimate(of: value))]) }
            return table.markdown().split(separator: "\n").dropFirst(2).enumerated().filter { $1.contains("**") }.map(\.offset)
        }
        let (low, high, wide) = ([1.0, 1.1, 0.9], [5.0, 5.1, 4.9], [1.0, 5, 9])
        #expect(marked([high, low], .lower) == [1] && marked([high, low], .higher) == [0])
        #expect(marked([high, low, wide], .lower) == [], "the wide one may be better than either")
        #expect(marked([low, [5]], .lower) == [], "nothing is known of how one seed spreads")
        #expect(marked([low], .lower) == [] && marked([low, []], .lower) == [], "nothing to compare with")
    }

    @Test(
        arguments: [
            (9.2, 1, "9.2"), (-0.04, 1, "0.0"), (-0.06, 1, "-0.1"), (1234.5, 0, "1234"), (.infinity, 2, "∞"), (1e-7, 3, "0.000"),
        ] as [(Double, Int, String)])
    func numbersForPeople(_ value: Double, decimals: Int, expected: String) {
        var table = Table(columns: [.number("x", decimals: decimals)])
        table.add([.number(value)])
        #expect(table.markdown().hasSuffix("| \(expected) |\n"))
    }

    /// Two arms and many scores, or many runs with long names.
    private func wide(rows: Int, scores: Int) -> Table {
        var table = Table(columns: [.text("arm"), .state("state")] + (0..<scores).map { .number("score number \($0)", decimals: 2) })
        for row in 0..<rows {
            table.add(
                [.text("tokenizer.variant=prologue,prior.dim=\(128 + row)"), .text(row == 0 ? "done" : "failed")]
                    + (0..<scores).map { .number(Double($0)) })
        }
        table.add(footnote: "a remark of some length that has to be broken where the terminal ends, word by word")
        return table
    }

    /// Nothing sticks out, and every value is still there.
    @Test(arguments: [40, 60, 80, 100, 132], [(1, 12), (2, 10), (3, 2), (30, 3), (30, 14)])
    func textFitsItsWidth(_ width: Int, _ shape: (rows: Int, scores: Int)) {
        let table = wide(rows: shape.rows, scores: shape.scores)
        let text = table.text(width: width)
        for line in text.split(separator: "\n") { #expect(line.count <= width, "\(text)") }
        let values = text.split { " \n".contains($0) }
        for score in 0..<shape.scores { #expect(values.count { $0 == "\(score).00" } == shape.rows, "\(text)") }
        // Names may be shortened, but not to the same.
        #expect(table.text(width: 1000) == table.text())
    }

    /// Shortened texts that were different stay different.
    @Test func shortenedNamesStayApart() {
        var table = Table(columns: [.text("run"), .number("x", decimals: 0)])
        for seed in 0..<4 { table.add([.text("a-rather-long-name-of-an-arm-s\(seed)-abcdef"), .number(seed)]) }
        let rows = table.text(width: 24).split(separator: "\n").dropFirst(2)
        #expect(rows.count == 4 && Set(rows.map { $0.prefix(20) }).count == 4 && rows.allSatisfy { $0.count <= 24 && $0.contains("…") })
    }

    @Test func coloursAreAskedFor() {
        let table = wide(rows: 2, scores: 1)
        #expect(!table.text().contains("\u{1B}"))
        let coloured = table.text(isColoured: true)
        #expect(coloured.contains("\u{1B}[32mdone\u{1B}[0m") && coloured.contains("\u{1B}[31mfailed\u{1B}[0m"))
        #expect(coloured.replacing(/\u{1B}\[[0-9]*m/, with: "") == table.text())
        #expect(table.text(width: 40, isColoured: true).contains("\u{1B}[32mdone"))
    }

    /// A table of more columns than a page is wide stands on its side; its rows end as LaTeX wants them.
    @Test func latexFitsAPage() {
        let latex = wide(rows: 2, scores: 10).latex()
        #expect(latex.contains("\\begin{tabular}{lrr}") && latex.contains("score number 9 & 9.00 & 9.00 \\\\\n"))
        #expect(latex.contains("\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"))
        let rows = latex.split(separator: "\n").filter { $0.hasSuffix(" \\\\") }
        #expect(rows.count == 12 && rows.allSatisfy { $0.count { $0 == "&" } == 2 })
        var bracket = Table(columns: [.text("a"), .text("b")])
        bracket.add([.text("[x]"), .text("y")])
        #expect(bracket.latex().contains("{}[x] & y"), "behind the end of a row a bracket would be a length")
    }

    /// How many seeds, once, where it is the same for all.
    @Test func latexSaysSharedCountsOnce() {
        var table = Table(columns: [.text("arm"), .number("x", decimals: 1)])
        table.add([.text("a"), .estimate(Estimate(of: [1, 2, 3]))])
        table.add([.text("b"), .estimate(Estimate(of: [4, 5, 6]))])
        #expect(!table.latex().contains("(n=3)") && table.latex().contains("n = 3 for every value"))
    }

    /// Digits of the mean end with the second of its half width.
    @Test(arguments: [
        ([100.0, 900, 400], "467 ± 1004 (n=3)"), ([1.0, 1.2, 1.1], "1.10 ± 0.25 (n=3)"), ([10.0, 30, 20], "20 ± 25 (n=3)"),
    ])
    func digitsThatTheIntervalAllows(_ values: [Double], _ expected: String) {
        var table = Table(columns: [.number("x", decimals: 2)])
        table.add([.estimate(Estimate(of: values))])
        #expect(table.text().contains(expected), "\(table.text())")
    }
}
