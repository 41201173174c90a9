import Files
import Foundation
import Testing

/// The history of a store, as the program tells it and as others read it.
@Suite struct RunsTests {
    @Test func listAndShowAgreeWithTheFiles() throws {
        let place = try finishedSweep.get().place
        let rows = try #require(try place.json("runs", "list", "--json")["rows"]?.arrayValue)
        #expect(rows.count == 2)
        for row in rows { #expect(row["status"] == "done") }
        let id = try #require(rows.compactMap { $0["run"]?.stringValue }.first { $0.contains("prologue") })

        // The beginning of an id is enough.
        let run = try place.json("runs", "show", "tiny-prologue", "--json")
        #expect(run["run"]?.stringValue == id)
        #expect(run["config"]?[path: "tokenizer.prologue_tokens"] == 2)
        #expect(run["seeds"] == ["prior": 0, "run": 0, "sampler": 0, "tokenizer": 0])

        // Every metric is what the files of its stage say.
        let metrics = try #require(run["metrics"]?.arrayValue)
        for metric in metrics {
            let stage = try #require(metric["stage"]?.stringValue)
            let name = try #require(metric["name"]?.stringValue)
            let scored = try #require(metric["protocol"]?.stringValue)
            let folder = place.store.appendingPathComponent("stages/\(stage)")
            let file = folder.appendingPathComponent(scored == "summary" ? "stage.json" : "scores/\(scored).json")
            let content = try JSONValue(parsing: Data(contentsOf: file))
            let values = scored == "summary" ? content[path: "summary.metrics"] : content["values"]
            #expect(values?[name] == metric["value"], "\(name)")
            if scored != "summary" { #expect(content["protocol"] == metric["protocol_content"], "\(name)") }
        }
        let names = Set(metrics.compactMap { $0["name"]?.stringValue })
        for name in [
            "rfid@shapes-cnn", "gfid@shapes-cnn.nocfg", "gfid@shapes-cnn.cfg", "probe.top1", "bits.conditional.visual",
        ] { #expect(names.contains(name), "\(name) in \(names.sorted())") }

        // Pictures that are there and are pictures.
        let pictures = try #require(run["artifacts"]?.arrayValue).compactMap { $0["path"]?.stringValue }
        #expect(pictures.count == 4)
        for path in pictures {
            let data = try Data(contentsOf: place.store.appendingPathComponent(path))
            #expect(data.starts(with: [0x89, 0x50, 0x4E, 0x47]), "\(path) is no PNG file")
        }

        let text = try place.run("runs", "show", id).output
        for part in ["rfid@shapes-cnn", "tokenizer.prologue_tokens: 2", "reconstructions.png"] {
            #expect(text.contains(part), "\(text)")
        }
    }

    /// Python's own SQLite finds in the index what the files say.
    @Test func theIndexIsReadBySQLite() throws {
        let place = try finishedSweep.get().place
        let answer = try place.python(
            """
            import glob, json, os, sqlite3, sys
            store = sys.argv[1]
            db = sqlite3.connect(f"file:{store}/index.sqlite?mode=ro", uri=True)
            assert db.execute("pragma integrity_check").fetchone() == ("ok",)
            measured = 0
            for path in glob.glob(f"{store}/runs/*/run.json"):
                run, folder = json.load(open(path)), os.path.dirname(path)
                status = json.load(open(folder + "/status.json"))
                row = db.execute("select status, seed from runs where id = ?", [run["id"]]).fetchone()
                assert row == (status["state"], run["seeds"]["run"]), row
                def found(name, role):
                    return db.execute("select value from metrics where run_id = ? and role = ? and name = ?",
                                      [run["id"], role, name]).fetchall()
                for role, stage in run["stages"].items():
                    measures = [json.load(open(p))["values"] for p in glob.glob(f"{store}/stages/{stage}/scores/*.json")]
                    measures.append(json.load(open(f"{store}/stages/{stage}/stage.json"))["summary"].get("metrics", {}))
                    for values in measures:
                        for name, value in values.items():
                            assert found(name, role) == [(value,)], (name, role, value)
                            measured += 1
                pictures = [a["path"] for a in json.load(open(folder + "/artifacts.json"))["entries"]]
                rows = db.execute("select path from artifacts where run_id = ? order by position", [run["id"]]).fetchall()
                assert [p for (p,) in rows] == pictures and len(pictures) == 4, rows
            print("ok" if measured > 30 else measured)
            """)
        #expect(answer == "ok")
    }

    @Test func sqlReadsAndNeverWrites() throws {
        let place = try finishedSweep.get().place
        let query = "SELECT id, seed, seed FROM runs ORDER BY id"
        let rows = try place.json("runs", "sql", query, "--json")["rows"]?.arrayValue
        #expect(rows?.count == 2)
        #expect(rows?.first?["seed"] == 0 && rows?.first?["seed_2"] == 0)
        #expect(try place.run("runs", "sql", "SELECT count(*) AS n FROM runs", "--csv").output == "n\r\n2\r\n")

        for (statement, complaint) in [
            ("DELETE FROM runs", "queries can only read"), ("SELECT 1; SELECT 2", "one statement at a time"),
            ("SELECT nothing FROM runs", "nothing"),
            ("PRAGMA user_version = 3", "read"),
        ] {
            let ended = try place.run("runs", "sql", statement)
            #expect(ended.code == 2 && ended.errors.contains(complaint), "\(statement): \(ended.errors)")
        }
        #expect(try place.json("runs", "list", "--json")["rows"]?.arrayValue?.count == 2)
    }

    @Test func tagsFindRunsAndSurviveAReindex() throws {
        let place = try Workplace()
        #expect(try place.run("train", place.sweep, "--stage", "features").code == 0)
        #expect(try place.run("runs", "tag", "tiny-prologue", "paper", "good").code == 0)
        #expect(try place.run("runs", "tag", "tiny-prologue", "good", "--remove").code == 0)
        try FileManager.default.removeItem(at: place.store.appendingPathComponent("index.sqlite"))
        #expect(try place.run("runs", "reindex").output == "2 runs, 1 stages\n")
        let rows = try #require(try place.json("runs", "list", "--tag", "paper", "--json")["rows"]?.arrayValue)
        #expect(rows.count == 1)
        #expect(rows.first?["tags"] == "paper")
        #expect(try place.json("runs", "list", "--tag", "good", "--json")["rows"] == [])
        #expect(try place.json("runs", "list", "--limit", "1", "--json")["rows"]?.arrayValue?.count == 1)
    }

    /// An index that cannot be opened costs a warning, never a run.
    @Test func runsGoOnWithoutAnIndex() throws {
        let place = try Workplace()
        let index = place.store.appendingPathComponent("index.sqlite")
        try FileManager.default.createDirectory(
            at: index.appendingPathComponent("x"), withIntermediateDirectories: true)
        let run = try place.run("train", place.sweep, "--stage", "features")
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.errors.contains("runs reindex"), "\(run.errors)")
        #expect(run.errors.components(separatedBy: "warning:").count == 2, "one warning: \(run.errors)")
        #expect(place.stages("features").count == 1)

        try FileManager.default.removeItem(at: index)
        #expect(try place.run("runs", "reindex").code == 0)
        #expect(try place.json("runs", "list", "--json")["rows"]?.arrayValue?.count == 2)
    }
}
