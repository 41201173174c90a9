/// Traced form of `TokenDraw.swift`: float32 where that has double precision, so that a draw may differ where a number falls
/// between two tokens to rounding.
extension Program {
    /// Which ids a token may be, of all of a vocabulary, and how hot it is drawn; single numbers of a loop's turn.
    package struct DrawRange {
        let lower, upper: TokenTensor
        let temperature: Tensor

        /// Ids from `lower` to below `upper`, [1] each; a temperature of [1].
        package init(lower: TokenTensor, upper: TokenTensor, temperature: Tensor) {
            (self.lower, self.upper, self.temperature) = (lower, upper, temperature)
        }
    }

    /// An id for each row of logits [rows, V] by its uniform number, [rows], as `draw` says; its own temperature is not used.
    package func drawn(_ draw: TokenDraw, _ logits: Tensor, _ range: DrawRange, uniforms: Tensor?) -> TokenTensor {
        let all = node(logits)
        let ids = iota(all.shape, .i32, axis: 1)
        let isAllowed = ids.compare(.greaterOrEqual, node(range.lower).reshaped([])).and(
            ids.compare(.less, node(range.upper).reshaped([])))
        let known = isAllowed.select(all, -.infinity)
        let likeliest = argmax(Tensor(known))
        guard draw.topK != 1, let uniforms else { return likeliest }

        // A temperature of 0 takes the likeliest; until then it must not divide by it.
        let temperature = node(range.temperature).reshaped([])
        let isHot = temperature.compare(.greater, 0)
        let logWeights = (known - known.rowMaxima.alongRows(of: known)) / isHot.select(temperature, 1)
        var weights = logWeights.exp
        if draw.topK > 0 || draw.topP < 1 { weights = kept(weights, ids, draw) }
        let sums = cumulative(weights)
        let total = sums.sliced(1, sums.width - 1..<sums.width).reshaped([sums.shape[0]])
        let threshold = (node(uniforms) * total).alongRows(of: sums)
        // The first token whose sum is above; the last with a weight where rounding leaves none.
        let isBelow = sums.compare(.lessOrEqual, threshold)
        let last = weights.compare(.greater, 0).select(ids, 0).reduce(.maximum, [1])
        let first = isBelow.select(ids.constant(Double(all.width - 1)), ids).reduce(.minimum, [1])
        let token = first.minimum(last)
        return TokenTensor(isHot.broadcast(to: token.shape, axes: []).select(token, node(likeliest)))
    }

    /// The weights [rows, V] of the likeliest tokens, by number and by probability; 0 elsewhere. Of equal ones the first counts.
    private func kept(_ weights: Node, _ ids: Node, _ draw: TokenDraw) -> Node {
        let sorted = function.sort([weights.value, ids.value], axis: 1, descending: true).map(node)
        let (width, rows) = (weights.width, weights.shape[0])
        let most = draw.topK > 0 ? min(draw.topK, width) : width
        var last = constant(Double(most - 1), [rows], .i32)
        if draw.topP < 1 {
            let ranks = iota(weights.shape, .i32, axis: 1)
            let candidates = ranks.compare(.less, Double(most)).select(sorted[0], 0)
            let sums = cumulative(candidates)
            let total = sums.sliced(1, width - 1..<width).reshaped([rows])
            // The one that crosses `topP` is in.
            let before = (sums / total.alongRows(of: sums)).compare(.less, draw.topP).converted(to: .i32).rowSums
            last = before.minimum(last)
        }
        let (weight, id) = (sorted[0].entries(last).alongRows(of: weights), sorted[1].entries(last).alongRows(of: ids))
        let isKept = weights.compare(.greater, weight).or(weights.compare(.equal, weight).and(ids.compare(.lessOrEqual, id)))
        return isKept.select(weights, 0)
    }

    /// Sums of each row's first 1, 2, … entries, in two levels: products with triangles of ones.
    func cumulative(_ x: Node) -> Node {
        let (rows, width, block) = (x.shape[0], x.width, 128)
        let blocks = (width + block - 1) / block
        func triangle(_ size: Int, _ comparison: (Int, Int) -> Bool) -> Node {
            constant((0..<size * size).map { comparison($0 / size, $0 % size) ? 1 : 0 }, [size, size])
        }
        let split = x.padded(1, low: 0, high: blocks * block - width).reshaped([rows, blocks, block])
        let within = split.times(triangle(block, <=))
        let before = split.sum([2]).times(triangle(blocks, <))
        return (within + before.alongRows(of: within)).reshaped([rows, blocks * block]).sliced(1, 0..<width)
    }

    /// For each row its stream's draw number `index`, [1], uniform in [0, 1): streams of one key [2] and the rows' steps [rows].
    package func uniforms(_ index: TokenTensor, key: SamplingStreams) -> Tensor {
        let count = key.steps.shape[0]
        let number = node(index).reshaped([]).converted(to: .ui32)
        func repeated(_ node: Node) -> Node { node.reshaped([]).broadcast(to: [count], axes: []) }
        let zero = constant(0, [count], .ui32)
        let words = philox(
            [repeated(number.shiftedRight(2)), zero, key.steps, zero],
            key: [repeated(key.key.sliced(0, 0..<1)), repeated(key.key.sliced(0, 1..<2))])
        let place = number.and(number.constant(3))
        let bits = (1..<4).reduce(words[0]) { chosen, word in
            repeated(place.compare(.equal, Double(word))).select(words[word], chosen)
        }
        return Tensor(bits.shiftedRight(8).wide * 0x1p-24)
    }

    /// What sequences draw from: inputs `NAME/key` [2] and `NAME/steps` [rows], both ui32, as `SamplingStreams.words` gives them.
    package func samplingStreams(_ name: String, rows: Int) -> SamplingStreams {
        SamplingStreams(key: input("\(name)/key", [2], .ui32), steps: input("\(name)/steps", [rows], .ui32))
    }
}

/// Streams of one seed and name at different steps, as inputs of a program.
package struct SamplingStreams {
    let key, steps: Node

    /// Key and steps of the streams `name` at `first`, `first` + 1, ….
    package static func words(seed: Int, _ name: String, first: Int, rows: Int) -> (key: [UInt32], steps: [UInt32]) {
        (Array(RandomStream(seed: seed, name).words[..<2]), (0..<rows).map { UInt32(truncatingIfNeeded: first + $0) })
    }
}
