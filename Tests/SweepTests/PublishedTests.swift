import Files
import Settings
import Sweep
import Testing

/// Published models by their names, and published values beside a sweep's own.
@Suite struct PublishedTests {
    @Test(
        arguments: [
            ("tokenizer-b", "b"), ("Prologue_Tokenizer-Large", "l"), ("2D", "2d"), ("tokenizer.post.B", "post"), ("one-stage", "onestage"),
            ("tokenizer-1stage-base", "onestage"), ("ar-b-xl", "b-xl"), ("prologue-L-AR-XL", "l-xl"), ("AR_1D_Base", "1d-b"),
            ("prior-post-b", "post-b"),
        ])
    func foldersAreKnownByTheirNames(_ folder: String, _ model: String) {
        #expect(ReleasedName(folder: folder)?.description == model)
    }

    /// What might be two models is none.
    @Test(arguments: ["ar-xl", "baseline", "b-l", "tokenizer-l-b", "checkpoints", "ar-b", ""])
    func othersAreNot(_ folder: String) { #expect(ReleasedName(folder: folder) == nil) }

    @Test func everyModelsOwnFolderNameIsKnown() {
        #expect(ReleasedName.all.count == 15)
        for name in ReleasedName.all { #expect(ReleasedName(folder: name.folder) == name) }
    }

    @Test func publishedValuesKnowTheirRounding() throws {
        let text = "name: x\narms: {a: {}, b: {prior.steps: 900}}\ncompare: {published: {a: {gfid.nocfg: 4.10, rfid: .8, is.nocfg: 12}}}\n"
        let published = try load(text).compare.published
        #expect(published.keys.sorted() == ["a"])
        for (score, value, rounding) in [("gfid.nocfg", 4.1, 0.005), ("rfid", 0.8, 0.05), ("is.nocfg", 12, 0.5)] {
            let found = try #require(published["a"]?[score])
            #expect(found.value == value && abs(found.rounding - rounding) < 1e-12, "\(score): \(found)")
        }
        for (part, expected) in [
            ("c: {rfid: 1}", "'c' is no cell"), ("a: {rfd: 1}", "rfid"), ("a: {rfid: many}", "must be a number"), ("a: 3", "must be a map"),
        ] {
            let error = #expect(throws: InputError.self) {
                try load("name: x\narms: {a: {}, b: {prior.steps: 900}}\ncompare: {published: {\(part)}}\n")
            }
            #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
        }
    }
}
