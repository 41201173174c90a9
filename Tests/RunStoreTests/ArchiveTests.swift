import Files
import Foundation
import RunStore
import TestSupport
import Testing

/// Finished runs in one file: the same bytes for the same records, readable elsewhere, and never taken for something else.
@Suite struct ArchiveTests {
    private func archived(_ example: ExampleStore, to url: URL) throws -> RunArchive {
        try RunArchive.write(example.runs.map(\.id), of: "example", in: example.store, to: url)
        return try RunArchive(reading: url)
    }

    @Test func anArchiveSaysWhatTheStoreSays() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder.appendingPathComponent("store"))
            let url = folder.appendingPathComponent("example.runs.zip")
            let archive = try archived(example, to: url)
            let bytes = try Data(contentsOf: url)
            _ = try archived(example, to: url)
            #expect(try Data(contentsOf: url) == bytes)

            let empty = try Store(directory: folder.appendingPathComponent("empty")).reading(archive)
            for run in example.runs {
                let (here, there) = (try empty.entry(ofRun: run.id), try example.store.entry(ofRun: run.id))
                #expect(here?.run == there?.run && here?.annotations == there?.annotations && here?.status.state == there?.status.state)
            }
            for id in try example.store.stageIDs() {
                let (here, there) = (try empty.entry(ofStage: id), try example.store.entry(ofStage: id))
                #expect(here?.record == there?.record && here?.measurements == there?.measurements && here?.record != nil)
            }
            // Records are known, work is not: whoever needs the files does not find them.
            #expect(try empty.runIDs().isEmpty && empty.knownRunIDs() == example.runs.map(\.id).sorted())
            #expect(try !empty.stage(id: example.tokenizer).isComplete && empty.isDone(stage: example.tokenizer))
            #expect(try empty.alone.entry(ofRun: example.runs[0].id) == nil)
            let index = try RunIndex(empty)
            #expect(try index.runs().count == 2)
            #expect(try index.metrics(for: example.runs[1].id).contains { $0.name == "gfid.nocfg" && $0.value == 13.5 })
            #expect(try index.metrics(for: example.runs[1].id).contains { $0.name == "gfid.cfg" && $0.value == nil })
            #expect(try !isPresent(empty.directory.appendingPathComponent("index.sqlite")))

            // As others read it.
            let told = try JSONValue(
                parsing: Data(
                    python(
                        """
                        import hashlib, json, sys, zipfile
                        z = zipfile.ZipFile(sys.argv[1])
                        assert z.testzip() is None
                        head = json.loads(z.read("archive.json"))
                        rows = {n: [json.loads(l) for l in z.read(n).splitlines()] for n in head["lines"]}
                        print(json.dumps(dict(
                            sums=all(hashlib.sha256(z.read(n)).hexdigest() == h for n, h in head["sha256"].items()),
                            counts={n: len(r) for n, r in rows.items()} == head["lines"],
                            scores=[r["scores"]["fashion-cnn"]["values"] for r in rows["stages.jsonl"] if r["record"]["identity"]["kind"] == "prior"],
                            dim=rows["runs.jsonl"][0]["run"]["config"]["tokenizer"]["dim"])))
                        """, url.path
                    ).utf8))
            #expect(told["sums"] == true && told["counts"] == true && told["dim"] == 96)
            #expect(Set(told["scores"]?.arrayValue?.compactMap { $0["gfid.nocfg"]?.doubleValue } ?? []) == [12.5, 13.5])
            #expect(told["scores"]?.arrayValue?.allSatisfy { $0["gfid.cfg"] == .null } == true)
        }
    }

    @Test func damageAndNewerFormatsAreNamed() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder.appendingPathComponent("store"))
            let url = folder.appendingPathComponent("example.runs.zip")
            _ = try archived(example, to: url)
            let bytes = try Data(contentsOf: url)
            let broken = folder.appendingPathComponent("broken.zip")
            for place in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 60)) {
                for damaged in [bytes.prefix(place), bytes.prefix(place) + [bytes[place] ^ 0x55] + bytes.dropFirst(place + 1)] {
                    try Data(damaged).write(to: broken)
                    // What no reader looks at, such as a date, may differ; what is read must then be the same.
                    do {
                        let archive = try RunArchive(reading: broken)
                        for run in example.runs { #expect(try archive.run(run.id)?.run == run) }
                    } catch let error as InputError {
                        #expect(error.message.contains("broken.zip"))
                    }
                }
            }
            try python(
                """
                import json, sys, zipfile
                old, new = zipfile.ZipFile(sys.argv[1]), zipfile.ZipFile(sys.argv[2], "w")
                head = json.loads(old.read("archive.json"))
                new.writestr("archive.json", json.dumps(dict(format=head["format"] + 1, rows="elsewhere")))
                new.close()
                """, url.path, broken.path)
            let newer = #expect(throws: InputError.self) { try RunArchive(reading: broken) }
            #expect(newer?.message.contains("newer version of this program: format 2, this one reads up to 1") == true)
            try python("import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('a', 'b')", broken.path)
            let other = #expect(throws: InputError.self) { try RunArchive(reading: broken) }
            #expect(other?.message.contains("is no archive of runs") == true)
        }
    }

    /// The same stage, trained anew elsewhere, with other numbers.
    @Test func contradictionsNameBoth() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder.appendingPathComponent("store"))
            let archive = try archived(example, to: folder.appendingPathComponent("example.runs.zip"))
            #expect(try example.store.reading(archive).archiveNote(for: example.runs.map(\.id)) == nil)

            let store = try Store(directory: folder.appendingPathComponent("other"))
            let tokenizer = StageIdentity(kind: "tokenizer", settings: ["dim": 96], formatVersion: 1)
            let prior = StageIdentity(kind: "prior", settings: ["seed": 0], inputs: ["tokens": tokenizer.id], formatVersion: 1)
            _ = try store.perform(tokenizer) { _ in [:] }
            _ = try store.perform(prior) { work in
                try work.save(Scores(protocol: [:], values: ["gfid.nocfg": 12.75]), named: "fashion-cnn")
                return [:]
            }
            let error = #expect(throws: InputError.self) { try store.reading(archive) }
            for part in [prior.id, "example.runs.zip", "/other", "gfid.nocfg 12.5 there, 12.75 here", "--trust"] {
                #expect(error?.message.contains(part) == true, "\(part)")
            }
            func value(_ trusted: TrustedRecords) throws -> Double? {
                try store.reading(archive, trusting: trusted).entry(ofStage: prior.id)?.measurements["fashion-cnn"]?.values["gfid.nocfg"]
                    ?? nil
            }
            #expect(try value(.archive) == 12.5 && value(.store) == 12.75)
            let note = try store.reading(archive, trusting: .archive).archiveNote(for: example.runs.map(\.id))
            #expect(note?.contains("1 stages measured other numbers in the archive than in the store; those of the archive count") == true)
        }
    }

    /// A study of hundreds of runs stays small, and nothing of it is taken apart before it is asked for.
    @Test func fiveHundredRunsAreASmallFile() throws {
        try withTemporaryFolder { folder in
            let store = try Store(directory: folder.appendingPathComponent("store"))
            let settings: JSONValue = .object(
                Dictionary(uniqueKeysWithValues: (0..<40).map { ("setting_\($0)", JSONValue.number(Double($0) / 7)) }))
            var runs: [String] = []
            for seed in 0..<500 {
                let identity = StageIdentity(kind: "scores", settings: ["seed": .int(seed), "all": settings], formatVersion: 1)
                let stage = try store.perform(identity) { work in
                    let values = Dictionary(uniqueKeysWithValues: (0..<10).map { ("score_\($0)", Double?(sin(Double(seed * 10 + $0)))) })
                    try work.save(Scores(protocol: ["seed": .int(seed)], values: values), named: "all")
                    return [:]
                }.stage
                let run = RunRecord(
                    sweep: "many", cell: "", seed: seed, config: ["all": settings, "seed": .int(seed)], stages: ["scores": stage.id],
                    codeVersion: .unknown, machine: .current())
                try store.save(run)
                runs.append(run.id)
            }
            let url = folder.appendingPathComponent("many.runs.zip")
            let count = try RunArchive.write(runs, of: "many", in: store, to: url)
            #expect(count.runs == 500 && count.stages == 500)
            let size = try Data(contentsOf: url).count
            #expect(size < 1_000_000, "\(size)")
            let archive = try RunArchive(reading: url)
            #expect(try archive.run(runs[321])?.run.seed == 321)
            let score = try archive.stage(store.run(runs[7]).stages["scores"] ?? "")?.measurements["all"]?.values["score_3"] ?? nil
            #expect(score == sin(73))
        }
    }
}
