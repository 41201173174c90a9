import Files
import Foundation
import Testing

/// Questions to the history of a store, through the program as people ask them.
@Suite struct HistoryTests {
    @Test func queryFindsAndOrders() throws {
        let place = try finishedSweep.get().place
        let rows = try #require(
            try place.json(
                "runs", "query",
                "metrics.rfid < 1e9 and (config.tokenizer.variant = 'prologue' or config.prior.dim > 1000) and status = 'done'",
                "--column", "config.prior.dim", "--json")["rows"]?.arrayValue)
        #expect(rows.count == 1)
        #expect(rows[0]["config.tokenizer.variant"] == "prologue" && rows[0]["config.prior.dim"] == 32)
        #expect(rows[0]["status"] == "done" && rows[0]["metrics.rfid"]?.doubleValue != nil)
        let ordered = try #require(
            try place.json("runs", "query", "order by metrics.gfid.nocfg desc", "--json")["rows"]?.arrayValue)
        let values = ordered.compactMap { $0["metrics.gfid.nocfg"]?.doubleValue }
        #expect(values.count == 2 && values[0] >= values[1])

        let wrong = try place.run("runs", "query", "status = 'done' and metrics.gfdi.nocfg < 3")
        #expect(wrong.code == 2)
        #expect(wrong.errors.contains("unknown key metrics.gfdi.nocfg; did you mean metrics.gfid.nocfg?"), "\(wrong.errors)")
        #expect(wrong.errors.contains("\n                      ^"), "\(wrong.errors)")
    }

    @Test func diffShowsOnlyWhatDiffers() throws {
        let place = try finishedSweep.get().place
        let rows = try #require(try place.json("runs", "diff", "tiny-baseline", "tiny-prologue", "--json").arrayValue)
        let keys = rows.compactMap { $0["key"]?.stringValue }
        #expect(keys.contains("config.tokenizer.variant") && keys.contains { $0.hasPrefix("metrics.gfid@") })
        #expect(!keys.contains { $0.hasPrefix("seeds.") || $0.hasPrefix("machine.") || $0.hasPrefix("code.") || $0 == "config.prior.dim" })
        #expect(
            rows.first { $0["key"] == "config.tokenizer.variant" }?["values"]?.objectValue?.values.compactMap(\.stringValue).sorted() == [
                "baseline-2d", "prologue",
            ])
        #expect(try place.run("runs", "diff", "tiny-baseline").code == 2)
        let missing = try place.run("runs", "diff", "tiny-baseline", "tiny-prolog-x")
        #expect(missing.code == 2 && missing.errors.contains("did you mean"), "\(missing.errors)")
    }

    @Test func lineageGoesBothWays() throws {
        let place = try finishedSweep.get().place
        let score = try #require(
            try place.json("runs", "lineage", "tiny-prologue", "--metric", "rfid", "--json")["rows"]?.arrayValue)
        let kinds = Set(score.compactMap { $0["stage"]?.stringValue?.split(separator: "-").first.map(String.init) })
        #expect(kinds == ["features", "tokenizer", "reconstructions"])
        #expect(score.first { $0["role"] == "features" }?["other runs"] == 1)
        #expect(score.first { $0["role"] == "tokenizer" }?["other runs"] == 0)

        let tokenizer = try #require(score.first { $0["role"] == "tokenizer" }?["stage"]?.stringValue)
        let stage = try #require(try place.json("runs", "lineage", tokenizer, "--json")["rows"]?.arrayValue)
        #expect(stage.first { $0["relation"] == "this stage" }?["id"]?.stringValue == tokenizer)
        #expect(stage.filter { $0["relation"] == "made into" }.count >= 5)
        let users = stage.filter { $0["relation"] == "used by run" }.compactMap { $0["id"]?.stringValue }
        #expect(users.count == 1 && users[0].contains("prologue"))
        let wrong = try place.run("runs", "lineage", "tiny-prologue", "--metric", "rfdi")
        #expect(wrong.code == 2 && wrong.errors.contains("did you mean 'rfid'?"), "\(wrong.errors)")
    }

    /// pandas reads the exported table and finds in it what the index says.
    @Test func exportIsReadByPandas() throws {
        let place = try finishedSweep.get().place
        let exported = try place.run("runs", "export", "--csv")
        #expect(exported.code == 0)
        try Data(exported.output.utf8).write(to: place.folder.appendingPathComponent("runs.csv"))
        let answer = try place.python(
            """
            import pandas as pd, sqlite3, sys
            table = pd.read_csv("runs.csv").set_index("run")
            db = sqlite3.connect(f"file:{sys.argv[1]}/index.sqlite?mode=ro", uri=True)
            for run, name, value in db.execute("select run_id, name, value from metrics where value is not null"):
                assert abs(table.loc[run, "metrics." + name] - value) < 1e-12, (run, name)
            assert sorted(table["config.tokenizer.variant"]) == ["baseline-2d", "prologue"]
            assert "config.prior.dim" not in table
            print(len(table))
            """)
        #expect(answer == "2")
        let all = try place.json("runs", "export", "--where", "cell like '%prologue%'", "--all-settings", "--json")
        #expect(all["rows"]?.arrayValue?.count == 1 && all["rows"]?.arrayValue?[0]["config.prior.dim"] == 32)

        let events = place.folder.appendingPathComponent("events")
        let written = try place.run("runs", "export", "--tensorboard", events.path, "tiny-prologue")
        #expect(written.code == 0 && written.output.hasPrefix("1 runs, 4 event files"), "\(written.output)\(written.errors)")
    }

    @Test func compareTellsTheSameFromTheFileAndFromTheHistory() throws {
        let place = try finishedSweep.get().place
        let file = try place.json("compare", place.sweep, "--metric", "gfid.nocfg", "--json")
        let history = try place.json(
            "compare", "--where", "sweep = 'tiny'", "--metric", "gfid.nocfg", "--baseline", "tokenizer.variant = 'baseline-2d'", "--json")
        // FLOPs follow from a file's cells; the history does not know them.
        func rows(_ comparison: JSONValue) -> [[String: JSONValue]] {
            (comparison["rows"]?.arrayValue ?? []).map { ($0.objectValue ?? [:]).filter { $0.key != "tflops" } }
        }
        #expect(rows(file) == rows(history) && rows(file).count == 2)
        #expect(file["rows"]?.arrayValue?.allSatisfy { $0["tflops"]?.doubleValue ?? 0 > 0 } == true)
        #expect(file["differences"]?["rows"] == history["differences"]?["rows"])
        #expect(file["differences"]?["rows"]?.arrayValue?.count == 1)

        let pivot = try place.json(
            "compare", place.sweep, "--metric", "gfid.nocfg", "--rows", "tokenizer.variant", "--columns", "prior.dim", "--json")
        #expect(
            pivot["columns"]?.arrayValue?.compactMap { $0["key"]?.stringValue } == [
                "tokenizer.variant", "gfid@shapes-cnn.nocfg[prior.dim=32]",
            ])
        #expect(try place.run("compare", place.sweep, "--latex").output.contains("\\toprule"))

        for (arguments, complaint) in [
            (["compare"], "either a sweep file or the runs"),
            (["compare", place.sweep, "--rows", "tokenizer.varian"], "did you mean tokenizer.variant?"),
            (["compare", place.sweep, "--metric", "gfdi.nocfg"], "did you mean 'gfid.nocfg'?"),
            (["compare", "--where", "sweep = 'none'"], "no run meets the condition"),
            (["compare", "--where", "sweep = 'tiny'", "--over", "prior.dims"], "did you mean prior.dim?"),
        ] {
            let ended = try place.start(arguments).wait()
            #expect(ended.code == 2 && ended.errors.contains(complaint), "\(arguments): \(ended.errors)")
        }
    }

    @Test func notesAndRemoval() throws {
        let place = try Workplace()
        #expect(try place.run("train", place.sweep, "--stage", "tokenizer").code == 0)
        #expect(try place.run("runs", "note", "tiny-prologue", "it's", "blurred").output.contains("1. "))
        #expect(try place.run("runs", "note", "tiny-prologue", "second").output.contains("2. "))
        #expect(try place.run("runs", "note", "tiny-prologue", "--remove", "2").output.contains("it's blurred"))
        #expect(try place.run("runs", "note", "tiny-prologue", "--remove", "2").errors.contains("no note 2"))
        try FileManager.default.removeItem(at: place.store.appendingPathComponent("index.sqlite"))
        let found = try place.json("runs", "query", "notes like '%BLURRED%'", "--json")
        #expect(found["rows"]?.arrayValue?.count == 1)

        // Looking removes nothing; then the run goes, and its tokenizer, which the other run does not use.
        let shown = try place.run("runs", "rm", "tiny-prologue")
        #expect(shown.output.contains("nothing was removed") && shown.output.contains("stage  tokenizer-"), "\(shown.output)")
        #expect(place.stages("tokenizer").count == 2)
        #expect(try place.run("runs", "rm", "tiny-prologue", "--yes").code == 0)
        #expect(place.stages("tokenizer").count == 1)
        #expect(try place.json("runs", "list", "--json")["rows"]?.arrayValue?.count == 1)
        #expect(try place.json("runs", "sql", "SELECT id FROM stages WHERE kind = 'tokenizer'", "--json")["rows"]?.arrayValue?.count == 1)
        // What is left runs as before.
        #expect(try place.run("train", place.sweep, "--stage", "tokenizer").output.contains("2 runs done"))
    }

    @Test func theIndexBenchmarkAsksWhatItSays() throws {
        let place = try Workplace()
        let table = try place.json("bench", "--index", "120", "--repetitions", "1", "--json")
        let rows = try #require(table["rows"]?.arrayValue)
        #expect(rows.count >= 9)
        for row in rows { #expect((row["found"]?.intValue ?? 0) > 0, "\(row)") }
    }
}
