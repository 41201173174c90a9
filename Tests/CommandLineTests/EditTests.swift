import Files
import Foundation
import Testing

/// Edits by given tokens, where what must come out is known.
@Suite struct EditTests {
    private static let pictures = """
        import numpy as np
        from PIL import Image
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save("image.png")
        for name, rows in [("nothing", 0), ("all", 16), ("below", 8)]:
            mask = np.zeros((16, 16), np.uint8)
            if rows: mask[16 - rows:] = 255
            Image.fromarray(mask).save(name + ".png")
        # One light pixel takes its whole patch.
        mask = np.zeros((16, 16), np.uint8); mask[5, 14] = 255
        Image.fromarray(mask).save("pixel.png")
        Image.fromarray(np.zeros((8, 8), np.uint8)).save("small.png")
        """

    @Test func whatStaysStaysAndTheRestIsDrawn() throws {
        let arms = "arms: {grid: {tokenizer.variant: prologue}, latent: {tokenizer.variant: baseline-1d}}\n"
        let place = try Workplace(sweep: tinyRun(images: 160, steps: 8, samples: 10, "probe: {enabled: false}\n" + arms))
        try #require(place.run("sweep", "run", place.sweep).code == 0)
        _ = try place.python(Self.pictures)
        func edit(_ more: String...) throws -> JSONValue {
            let result = try place.json(["edit", "tiny-grid", "--image", "image.png", "--count", "6", "--seed", "3", "--json"] + more)
            return try #require(result["rows"]?.arrayValue?.first)
        }
        // Nothing to draw: every edit is the reconstruction, to the level.
        let none = try edit("--mask", "nothing.png", "--class", "0")
        #expect(none["kept"] == 16 && none["drawn"] == 0 && none["stays"] == 0)
        #expect(none["changes"]?.doubleValue == nil && none["changed_tokens"]?.doubleValue == nil)
        // Half of the patches.
        let half = try edit("--mask", "below.png", "--class", "0")
        #expect(half["kept"] == 8 && half["drawn"] == 8)
        #expect(try #require(half["changes"]?.doubleValue) > (try #require(half["stays"]?.doubleValue)))
        #expect(try #require(half["changed_tokens"]?.doubleValue) > 0)
        #expect(half["named_as_asked"]?.doubleValue != nil && half["named_before"]?.stringValue != nil)
        #expect(try edit("--mask", "pixel.png", "--class", "0")["drawn"] == 1)
        // Everything, and the prologue as well: plain samples of that class, whatever the picture.
        let all = try edit("--draw-prologue", "--class", "2")
        #expect(all["kept"] == 0 && all["drawn"] == 16 && all["stays"]?.doubleValue == nil)
        _ = try place.python(
            "import numpy as np; from PIL import Image; Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save('black.png')")
        let black = try place.json([
            "edit", "tiny-grid", "--image", "black.png", "--mask", "all.png", "--count", "6", "--seed", "3", "--json", "--draw-prologue",
            "--class",
            "2", "--picture", "black-edit.png",
        ])
        #expect(black[path: "rows"]?.arrayValue?.first?["named_as_asked"] == all["named_as_asked"])
        let same = try place.python(
            """
            import numpy as np
            from PIL import Image
            a, b = (np.asarray(Image.open(f)) for f in ["edit.png", "black-edit.png"])
            print(a.shape == b.shape and (a != b).mean() < 0.5, (a[:, -100:] == b[:, -100:]).all())
            """)
        #expect(same == "True True", "\(same)")

        let odd = try place.run("edit", "tiny-grid", "--image", "image.png", "--mask", "small.png")
        #expect(odd.code == 2 && odd.errors.contains("small.png") && odd.errors.contains("16×16"), "\(odd.errors)")
        let unknown = try place.run("edit", "tiny-grid", "--image", "image.png", "--class", "trianle")
        #expect(unknown.code == 2 && unknown.errors.contains("--class"), "\(unknown.errors)")
        let latent = try place.run("edit", "tiny-latent", "--image", "image.png", "--mask", "below.png")
        #expect(latent.code == 2 && latent.errors.contains("no places"), "\(latent.errors)")
        #expect(try place.run("edit", "tiny-latent", "--image", "image.png").code == 0)
    }
}
