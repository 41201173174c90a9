import Foundation
import TensorCore
import Testing

/// Values of the ops against double precision; sizes as in the gradient table.
@Suite struct ForwardTests {
    @Test(arguments: [(1, 1, 1), (3, 7, 33), (130, 33, 1), (301, 41, 53), (20, 67, 201)])
    func linearIsAMatrixProduct(rows: Int, input: Int, output: Int) {
        let (x, w, b) = (random([rows, input], "x"), random([output, input], "w"), random([output], "b"))
        let expected = Naive.product(
            Naive.doubles(x), Naive.transposed(Naive.doubles(w), rows: output, columns: input), m: rows, k: input,
            n: output)
        #expect(Naive.error(linear(x, weight: w), expected) < 2e-6)
        let biased = expected.enumerated().map { $1 + Double(b.values[$0 % output]) }
        #expect(Naive.error(linear(x, weight: w, bias: b), biased) < 2e-6)
    }

    @Test func arithmetic() {
        let (a, b) = (random([5, 20_011], "a"), random([5, 20_011], "b"))
        let pairs = zip(a.values, b.values)
        #expect((a + b).values == pairs.map { $0 + $1 })
        #expect((a - b).values == pairs.map { $0 - $1 })
        #expect((a * b).values == pairs.map { $0 * $1 })
        #expect((-1.75 * a).values == a.values.map { -1.75 * $0 })
        #expect(relu(a).values == a.values.map { max($0, 0) })
    }

    /// The kernels' exponential over its whole range: softmax of [0, x] is 1/(1 + eˣ), eˣ/(1 + eˣ).
    @Test func exponentialIsAccurateToAFewUnitsInTheLastPlace() {
        let x = (0...17_000).map { Float($0 - 8500) / 100 }
        let logits = Tensor(x.flatMap { [0, $0] }, shape: [x.count, 2])
        let p = softmax(logits)
        var worst = 0.0
        for (i, value) in x.enumerated() {
            // The smaller one of the two carries the exponential's relative error.
            let expected = 1 / (1 + exp(Double(abs(value))))
            worst = max(worst, abs(Double(min(p.values[2 * i], p.values[2 * i + 1])) / expected - 1))
            if i % 4000 == 0 { #expect(abs(p.values[2 * i] + p.values[2 * i + 1] - 1) < 1e-6) }
        }
        #expect(worst < 5e-7)
    }

    @Test func geluFollowsTheTanhFormula() {
        let x = Tensor((0...24_000).map { Float($0 - 12_000) / 1000 }, shape: [24_001])
        for (value, y) in zip(x.values, gelu(x).values) {
            let expected = Naive.gelu(Double(value))
            #expect(abs(Double(y) - expected) <= 1e-6 * abs(expected) + 1e-7)
        }
        let extreme = gelu(Tensor([-1e30, -200, 0, 200, 1e30], shape: [5])).values
        #expect(zip(extreme, [0, 0, 0, 200, 1e30] as [Float]).allSatisfy { abs($0 - $1) < 1e-7 })
        let wide = random([7, 66], "geglu")
        let expected = Naive.rows(wide).flatMap { row -> [Double] in
            (0..<33).map { Naive.gelu(row[33 + $0]) * row[$0] }
        }
        #expect(Naive.error(geglu(wide), expected) < 1e-6)
    }

    @Test(arguments: [[2, 5, 7], [3, 1], [41, 1003], [2, 4099]] as [Shape])
    func softmaxFamily(shape: Shape) {
        let x = 3 * random(shape)
        let rows = Naive.rows(x)
        #expect(Naive.error(softmax(x), rows.flatMap { Naive.softmax($0) }) < 1e-6)
        #expect(Naive.error(softmax(x, scale: 10), rows.flatMap { Naive.softmax($0, scale: 10) }) < 3e-6)
        let targets = randomIds(Array(shape.dropLast()), below: shape[shape.count - 1])
        let losses = zip(rows, targets.ids).map { Naive.logSumExp($0) - $0[Int($1)] }
        #expect(zip(crossEntropy(x, targets: targets).values, losses).allSatisfy { abs(Double($0) - $1) < 5e-6 })
    }

    /// Logits far apart neither overflow nor lose the largest.
    @Test func softmaxOfExtremeLogits() {
        let x = Tensor([1e4, -1e4, 0, -3e38, 3e38, 0], shape: [2, 3])
        #expect(Naive.error(softmax(x), [1, 0, 0, 0, 1, 0]) < 1e-30)
        #expect(abs(crossEntropy(x, targets: TokenTensor([1, 1], shape: [2])).values[0] - 2e4) < 1)
    }

    @Test func normsDivideByTheRowsLength() {
        let (x, w) = (random([3, 5, 33], "x"), random([3, 33], "w"))
        let weights = Naive.rows(w)
        let expected = Naive.rows(x).enumerated().flatMap { Naive.rmsNorm($1, weight: weights[$0 / 5]) }
        #expect(Naive.error(rmsNorm(x, weight: w), expected) < 1e-6)
        let units = Naive.rows(x).flatMap { row in row.map { $0 / Naive.norm(row) } }
        #expect(Naive.error(l2Normalize(x), units) < 1e-6)
        #expect(rmsNorm(.zeros([1, 1, 7]), weight: .zeros([1, 7])).values == [Float](repeating: 0, count: 7))
        #expect(l2Normalize(.zeros([1, 7])).values == [Float](repeating: 0, count: 7))
    }

    @Test func rotationTurnsPairsByTheirAxisPosition() {
        let (heads, axes, tokens) = (3, [4, 2, 6], 5)
        let positions: [RotaryTable.Position] = [
            .sequence(3), .grid(row: 2, column: 7), .query(11), .grid(row: 0, column: 0), .sequence(300),
        ]
        let (x, w) = (random([2, tokens, 41], "x"), random([12], "w"))
        let y = rotaryNorm(x, weight: w, table: RotaryTable(positions, axisWidths: axes), heads: heads)
        let expected = Naive.rows(x).enumerated().flatMap { row, columns -> [Double] in
            let position = positions[row % tokens]
            let places = [position.axes.0, position.axes.1, position.axes.2]
            return (0..<heads).flatMap { head -> [Double] in
                let normed = Naive.rmsNorm(Array(columns[head * 12..<(head + 1) * 12]), weight: Naive.doubles(w))
                var turned: [Double] = []
                for (place, width) in zip(places, axes) {
                    for i in 0..<width / 2 {
                        let angle = Double(place) * pow(position.theta, -2 * Double(i) / Double(width))
                        let (a, b) = (normed[turned.count], normed[turned.count + 1])
                        turned += [a * cos(angle) - b * sin(angle), a * sin(angle) + b * cos(angle)]
                    }
                }
                return turned
            }
        }
        #expect(y.shape == [2, tokens, 36])
        #expect(Naive.error(y, expected) < 1e-6)
    }

    /// Lengths on both sides of a block of queries; values in the middle of a wider tensor.
    @Test(arguments: [
        (1, 1, true), (127, 127, true), (128, 128, true), (129, 129, true), (300, 300, true),
        (129, 129, false), (5, 140, false), (257, 3, false),
    ])
    func attentionOverBlockBoundaries(queries: Int, keys: Int, causal: Bool) {
        let (batch, heads, width) = (2, 3, 5)
        let q = random([batch, queries, 15], "q")
        let k = random([batch, keys, 15], "k")
        let kv = random([batch, keys, 22], "kv")
        let y = attention(q: q, k: k, values: kv, valueOffset: 4, heads: heads, causal: causal)
        let (qs, ks, vs, ys) = (Naive.rows(q), Naive.rows(k), Naive.rows(kv), Naive.rows(y))
        for b in 0..<batch {
            for h in 0..<heads {
                let columns = h * width..<(h + 1) * width
                let valueColumns = 4 + h * width..<4 + (h + 1) * width
                let expected = Naive.attention(
                    qs[b * queries..<(b + 1) * queries].map { Array($0[columns]) },
                    ks[b * keys..<(b + 1) * keys].map { Array($0[columns]) },
                    vs[b * keys..<(b + 1) * keys].map { Array($0[valueColumns]) }, causal: causal)
                let actual = Array(ys[b * queries..<(b + 1) * queries].map { $0[columns] }.joined())
                #expect(zip(actual, expected.joined()).allSatisfy { abs($0 - $1) < 2e-6 })
            }
        }
    }

    @Test func convolutionSumsOverItsWindow() {
        let (h, w, c, out, kernel, stride, padding) = (7, 5, 3, 4, 3, 2, 1)
        let x = random([2, h, w, c], "x")
        let (weight, bias) = (random([out, kernel * kernel * c], "w"), random([out], "b"))
        let y = conv2d(x, weight: weight, bias: bias, window: Window(kernel, stride: stride, padding: padding))
        #expect(y.shape == [2, 4, 3, out])
        var expected: [Double] = []
        for b in 0..<2 {
            for oy in 0..<4 {
                for ox in 0..<3 {
                    for o in 0..<out {
                        var sum = Double(bias.values[o])
                        for ky in 0..<kernel {
                            for kx in 0..<kernel {
                                for channel in 0..<c {
                                    let (row, column) = (oy * stride + ky - padding, ox * stride + kx - padding)
                                    guard (0..<h).contains(row), (0..<w).contains(column) else { continue }
                                    sum +=
                                        Double(x.values[((b * h + row) * w + column) * c + channel])
                                        * Double(weight.values[(o * kernel + ky) * kernel * c + kx * c + channel])
                                }
                            }
                        }
                        expected.append(sum)
                    }
                }
            }
        }
        #expect(Naive.error(y, expected) < 1e-6)
        let pooled = (0..<2 * c).map { i -> Double in
            let values = (0..<h * w).map { Double(x.values[(i / c * h * w + $0) * c + i % c]) }
            return values.reduce(0, +) / Double(h * w)
        }
        #expect(Naive.error(globalAveragePool(x), pooled) < 1e-5)
    }

    @Test func lossesAreMeans() {
        let (a, b) = (random([300, 70], "a"), random([300, 70], "b"))
        let differences = zip(Naive.doubles(a), Naive.doubles(b)).map { $0 - $1 }
        let n = Double(a.count)
        #expect(abs(Double(mean(a).scalar) - Naive.doubles(a).reduce(0, +) / n) < 1e-7)
        #expect(abs(Double(meanAbsoluteDifference(a, b).scalar) - differences.reduce(0) { $0 + abs($1) } / n) < 1e-6)
        #expect(abs(Double(meanSquaredDifference(a, b).scalar) - differences.reduce(0) { $0 + $1 * $1 } / n) < 1e-6)
    }

    @Test func tokensAreMovedAsTheyAre() {
        let table = random([7, 3], "table")
        let rows = (0..<7).map { Array(table.values[$0 * 3..<$0 * 3 + 3]) }
        #expect(embedding(TokenTensor([6, 0, 6, 2], shape: [2, 2]), table: table).values == rows[6] + rows[0] + rows[6] + rows[2])
        let (a, b) = (random([2, 2, 3], "a"), random([1, 1, 3], "b"))
        let joined = concatTokens([a, b])
        #expect(joined.shape == [2, 3, 3])
        #expect(joined.values == a.values[0..<6] + b.values + a.values[6..<12] + b.values)
        #expect(sliceTokens(joined, 0..<2).values == a.values)
        #expect(sliceRows(table, 2..<4).values == rows[2] + rows[3])
        #expect(argmax(Tensor([1, 3, 3, -5, -9, -5], shape: [2, 3])) == TokenTensor([1, 0], shape: [2]))
        let (x, gate, branch) = (random([2, 3, 5], "x"), random([2, 5], "gate"), random([2, 3, 5], "branch"))
        let (xs, gates, branches) = (Naive.doubles(x), Naive.doubles(gate), Naive.doubles(branch))
        let gated = (0..<30).map { i -> Double in
            xs[i] + gates[i / 15 * 5 + i % 5] * branches[i]
        }
        #expect(Naive.error(gatedResidual(x, gate: gate, branch: branch), gated) < 1e-6)
    }

    /// A share p becomes 0, the rest is scaled by 1/(1−p), and masks of other keys are independent.
    @Test func dropoutKeepsTheMean() {
        let (n, p) = (200_000, 0.3)
        let ones = Tensor(repeating: 1, shape: [n])
        let masks = [1, 2, 0xFFFF_0000_1234 as MaskKey].map { dropout(ones, p: Float(p), key: $0).values }
        for mask in masks {
            #expect(Set(mask).count == 2 && mask.allSatisfy { $0 == 0 || abs($0 - Float(1 / (1 - p))) < 1e-6 })
            // Standard deviations of a share: √(p(1−p)/n).
            #expect(abs(Double(mask.count { $0 == 0 }) / Double(n) - p) < 5 * (p * (1 - p) / Double(n)).squareRoot())
            let pairs = zip(mask, mask.dropFirst()).count { $0 == 0 && $1 == 0 }
            #expect(abs(Double(pairs) / Double(n) - p * p) < 5 * (p * p / Double(n)).squareRoot())
        }
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let both = zip(masks[a], masks[b]).count { $0 == 0 && $1 == 0 }
            #expect(abs(Double(both) / Double(n) - p * p) < 5 * (p * p / Double(n)).squareRoot())
        }
        #expect(dropout(ones, p: Float(p), key: 1).values == masks[0])
    }
}
