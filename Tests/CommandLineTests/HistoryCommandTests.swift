import Files
import Foundation
import Testing

/// `runs best`, `cost`, `curves`, `note --sweep`, and SQL that has to be stopped.
@Suite struct HistoryCommandTests {
    @Test func theBestComeFirst() throws {
        let place = try finishedSweep.get().place
        let rows = try #require(try place.json("runs", "best", "gfid.nocfg", "--json")["rows"]?.arrayValue)
        let values = rows.compactMap { $0["gfid.nocfg"]?.doubleValue }
        #expect(values.count == 2 && values == values.sorted())
        // Of accuracies the largest is the best.
        let probes = try #require(try place.json("runs", "best", "probe.top1", "--by", "arm", "--json")["rows"]?.arrayValue)
        let means = probes.compactMap { $0["probe.top1"]?["mean"]?.doubleValue }
        #expect(means.count == 2 && means[0] >= means[1] && Set(probes.map { $0["arm"] }) == ["baseline", "prologue"])
        let opened = try place.run("runs", "best", "rfid", "--open")
        #expect(opened.code == 0 && opened.output.contains("opened"), "\(opened.errors)")
        for (metric, complaint) in [("gfid.nocgf", "did you mean metrics.gfid.nocfg?"), ("gfid_noise.nocfg", "neither end")] {
            let wrong = try place.run("runs", "best", metric)
            #expect(wrong.code == 2 && wrong.errors.contains(complaint), "\(wrong.errors)")
        }
    }

    /// sqlite3 and Python add up the same, each stage once.
    @Test func costsCountEachStageOnce() throws {
        let place = try finishedSweep.get().place
        let rows = try #require(try place.json("runs", "cost", "--json")["rows"]?.arrayValue)
        let expected = try JSONValue(
            parsing: Data(
                place.python(
                    """
                    import glob, json, sys
                    stages = [json.load(open(f)) for f in glob.glob(sys.argv[1] + "/stages/*/stage.json")]
                    print(json.dumps([len(stages), sum(s["wall_seconds"] for s in stages), sum(s["summary"].get("flops", 0) for s in stages)]))
                    """
                ).utf8))
        let numbers = try #require(expected.arrayValue).compactMap(\.doubleValue)
        #expect(rows.map { $0["sweep"] } == ["tiny", "all, each stage once"])
        for row in rows {
            #expect(row["runs"] == 2 && row["stages"]?.doubleValue == numbers[0])
            #expect(abs((row["hours"]?.doubleValue ?? 0) * 3600 - numbers[1]) < 1e-6 * numbers[1])
            #expect(abs((row["tflops"]?.doubleValue ?? 0) * 1e12 - numbers[2]) < 1e-6 * numbers[2])
        }
    }

    @Test func curvesAreDrawn() throws {
        let place = try finishedSweep.get().place
        let drawn = try place.run("runs", "curves", "tiny-prologue", "--stage", "prior", "--width", "40", "--height", "5")
        let lines = drawn.output.split(separator: "\n").map(String.init)
        #expect(drawn.code == 0 && lines.count == 7, "\(drawn.errors)")
        #expect(lines[0].hasPrefix("prior loss of tiny-prologue") && lines[6].hasSuffix("29"))
        let dots = lines[1...5].joined().unicodeScalars.filter { (0x2801...0x28ff).contains($0.value) }
        #expect(dots.count >= 30)
        let wrong = try place.run("runs", "curves", "tiny-prologue", "--column", "los")
        #expect(wrong.code == 2 && wrong.errors.contains("did you mean loss?"), "\(wrong.errors)")
    }

    @Test func notesOfASweepAreKeptAndShownHarmlessly() throws {
        let place = try Workplace()
        let plain = try place.run("sweep", "run", place.sweep, "--only", "arm = 'baseline'")
        #expect(plain.code == 0, "\(plain.errors)")
        // A text that would turn what follows red, and name the window.
        let note = "blurred \u{1b}[31mat\u{7} the \u{202e}edges"
        for owner in [["--sweep", "tiny"], ["tiny-baseline"]] {
            let shown = try place.start(["runs", "note"] + owner + [note]).wait()
            #expect(shown.code == 0 && shown.output.contains("blurred \\u{1b}[31mat\\u{7} the \\u{202e}edges"), "\(shown.errors)")
            let again = try place.start(["runs", "note"] + owner).wait()
            #expect(again.output == shown.output)
        }
        let id = try #require(try place.json("runs", "list", "--json")["rows"]?.arrayValue?.first?["run"]?.stringValue)
        for arguments in [
            ["runs", "show", id], ["runs", "sql", "SELECT text FROM notes"], ["runs", "query", "notes like '%e%'", "--column", "notes"],
        ] {
            let shown = try place.start(arguments).wait()
            #expect(
                shown.output.contains("\\u{1b}[31m") && !shown.output.unicodeScalars.contains { $0 == "\u{1b}" || $0 == "\u{202e}" },
                "\(arguments)")
        }
        // Programs get the text as it is.
        #expect(try place.json("runs", "show", id, "--json")["notes"]?.arrayValue == [.string(note)])
        #expect(try place.run("runs", "note", "--sweep", "tinny").errors.contains("did you mean 'tiny'?"))
        #expect(try place.run("runs", "note", "--sweep", "tiny", "--remove", "1").output == "tiny: no notes\n")
    }

    @Test func sqlKeepsEveryDigitAndEnds() throws {
        let place = try finishedSweep.get().place
        for form in [[], ["--csv"], ["--json"], ["--markdown"]] {
            let shown = try place.start(["runs", "sql", "SELECT 9007199254740993 AS n, -9223372036854775807 - 1 AS least"] + form).wait()
            #expect(shown.output.contains("9007199254740993") && shown.output.contains("-9223372036854775808"), "\(shown.output)")
        }
        let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        let stopped = try place.run("runs", "sql", endless + "SELECT count(*) FROM c", "--timeout", "0.2")
        #expect(stopped.code == 2 && stopped.errors.contains("stopped after 0.2 s"), "\(stopped.errors)")
        let full = try place.run("runs", "sql", endless + "SELECT x FROM c", "--most-rows", "1000")
        #expect(full.code == 2 && full.errors.contains("more than 1000 rows"), "\(full.errors)")
    }
}
