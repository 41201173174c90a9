import Models
import Sweep
import TensorCore

/// Which tokens of a sequence are given and not drawn.
struct GivenTokens: Equatable {
    /// `first-8`: the first eight tokens in the prior's order; `visual-first-8`, `random-8`: visual tokens.
    let name: String
    /// Places in the AR sequence.
    let positions: [Int]

    /// The sets that completions are compared over: prefixes of each length (of a tokenizer with a prologue, prologue
    /// tokens first), and as controls K visual tokens, the first ones and random ones. Random tokens are a strong control
    /// for knowing the image, but the prior has drawn what stands before them without knowing them.
    static func sets(_ layout: SequenceLayout, prefixes: [Int], count k: Int, seed: Int) -> [GivenTokens] {
        // EOS is no token of the image: it is always there.
        let tokens = (0..<layout.length).filter { !layout.hasPrologue || $0 != layout.prologueTokens }
        var sets = Set(prefixes + [k]).sorted().filter { $0 <= tokens.count }.map {
            GivenTokens(name: "first-\($0)", positions: Array(tokens.prefix($0)))
        }
        let visual = Array(layout.visualStart..<layout.length)
        guard k > 0, k <= visual.count else { return sets }
        if layout.hasPrologue { sets.append(GivenTokens(name: "visual-first-\(k)", positions: Array(visual.prefix(k)))) }
        var stream = RandomStream(seed: seed, "semantics/random-tokens")
        let random = stream.permutation(visual.count).prefix(k).sorted().map { visual[$0] }
        sets.append(GivenTokens(name: "random-\(k)", positions: random))
        return sets
    }
}
