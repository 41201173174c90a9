import Models

/// Which tokens of a sequence are given and not drawn.
struct GivenTokens: Equatable {
    /// `first-8`: the first eight tokens in the prior's order; `visual-first-8`, `random-8`: visual tokens.
    let name: String
    /// Places in the AR sequence.
    let positions: [Int]

    /// The sets that completions are compared over: prefixes of each length (of a tokenizer with a prologue, prologue
    /// tokens first), and as controls random visual tokens of each length and, beside a prologue, the first K visual ones.
    /// Random tokens are a strong control for knowing the image, but the prior has drawn what stands before them without
    /// knowing them.
    ///
    /// - Parameter order: visual tokens in random order; random sets are its beginnings.
    static func sets(_ layout: SequenceLayout, prefixes: [Int], count k: Int, order: [Int]) -> [GivenTokens] {
        // EOS is no token of the image: it is always there.
        let tokens = (0..<layout.length).filter { !layout.hasEOS || $0 != layout.prologueTokens }
        let lengths = Set(prefixes + [k]).sorted()
        var sets = lengths.filter { $0 <= tokens.count }.map {
            GivenTokens(name: "first-\($0)", positions: Array(tokens.prefix($0)))
        }
        let visual = Array(layout.visualStart..<layout.length)
        if layout.hasPrologue, k > 0, k <= visual.count {
            sets.append(GivenTokens(name: "visual-first-\(k)", positions: Array(visual.prefix(k))))
        }
        return sets
            + lengths.filter { $0 > 0 && $0 <= visual.count }.map { count in
                GivenTokens(name: "random-\(count)", positions: order.prefix(count).sorted().map { visual[$0] })
            }
    }
}
