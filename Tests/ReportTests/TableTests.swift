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

    @Test(arguments: [
        (9.2, 1, "9.2"), (-0.04, 1, "0.0"), (-0.06, 1, "-0.1"), (1234.5, 0, "1234"), (.infinity, 2, "∞"), (1e-7, 3, "0.000"),
    ] as [(Double, Int, String)])
    func numbersForPeople(_ value: Double, decimals: Int, expected: String) {
        var table = Table(columns: [.number("x", decimals: decimals)])
        table.add([.number(value)])
        #expect(table.markdown().hasSuffix("| \(expected) |\n"))
    }
}
