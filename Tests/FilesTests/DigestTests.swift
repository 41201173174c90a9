import Files
import Testing

@Suite struct DigestTests {
    /// Known values are those of `printf … | sha256sum`.
    @Test func linesAreDigestedAsTheTextThatTheyMake() {
        #expect(sha256(lines: ["a", "b"]) == "7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78")
        #expect(sha256(lines: []) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(sha256(lines: ["näh", "", "b"]) == "bc3e8f0051008fb9fb82640a4137c08cd9550835e863e27d6217a97f0e9cb338")
    }
}
