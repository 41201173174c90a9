import Foundation
import TensorCore
import Testing

@Suite struct RandomStreamTests {
    /// The known answers that come with the Random123 library of the generator's authors.
    @Test func philoxGivesThePublishedAnswers() {
        let ones = UInt32.max
        let zero = RandomStream.philox((0, 0, 0, 0), key: (0, 0))
        #expect(zero == (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        let full = RandomStream.philox((ones, ones, ones, ones), key: (ones, ones))
        #expect(full == (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        let pi = RandomStream.philox(
            (0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: (0xa409_3822, 0x299f_31d0))
        #expect(pi == (0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }

    /// What a stream draws depends on seed, name and step only: not on other streams, nor on when it is opened.
    @Test func streamsDoNotDependOnEachOther() {
        func bits(_ stream: RandomStream) -> [UInt32] {
            var stream = stream
            return (0..<9).map { _ in stream.nextBits() }
        }
        let first = bits(RandomStream(seed: 1, "a", step: 5))
        var (a, b) = (RandomStream(seed: 1, "a", step: 5), RandomStream(seed: 1, "b", step: 5))
        var interleaved: [UInt32] = []
        for _ in 0..<9 {
            _ = b.nextBits()
            interleaved.append(a.nextBits())
            _ = b.uniform()
        }
        #expect(interleaved == first)
        let others = [
            bits(RandomStream(seed: 2, "a", step: 5)), bits(RandomStream(seed: 1, "b", step: 5)),
            bits(RandomStream(seed: 1, "a", step: 6)), bits(RandomStream(seed: -1, "a", step: 5)),
            bits(RandomStream(seed: 1, "a", step: 5 + 1 << 32)), bits(RandomStream(seed: 1, "", step: 5)),
        ]
        for other in others { #expect(Set(other).isDisjoint(with: first)) }
        #expect(Set(others.flatMap { $0 }).count == 9 * others.count)
    }

    @Test func uniformFillsItsRangeEvenly() {
        var stream = RandomStream(seed: 3, "uniform")
        let n = 128_000
        let values = (0..<n).map { _ in Double(stream.uniform()) }
        #expect(values.allSatisfy { $0 >= 0 && $0 < 1 })
        var bins = [Int](repeating: 0, count: 64)
        for value in values { bins[Int(value * 64)] += 1 }
        #expect(chiSquare(bins, expected: [Double](repeating: 1 / 64.0, count: 64)) < 121)
        // Neighbours: pairs fill the square evenly too.
        var squares = [Int](repeating: 0, count: 64)
        for i in stride(from: 0, to: n, by: 2) { squares[Int(values[i] * 8) * 8 + Int(values[i + 1] * 8)] += 1 }
        #expect(chiSquare(squares, expected: [Double](repeating: 1 / 64.0, count: 64)) < 121)
    }

    @Test func integersAndPermutationsAreUnbiased() {
        var stream = RandomStream(seed: 4, "integers")
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<70_000 { counts[stream.integer(below: 7)] += 1 }
        #expect(chiSquare(counts, expected: [Double](repeating: 1 / 7.0, count: 7)) < 27.9)
        var orders: [[Int]: Int] = [:]
        for _ in 0..<24_000 { orders[stream.permutation(4), default: 0] += 1 }
        #expect(orders.keys.allSatisfy { $0.sorted() == [0, 1, 2, 3] })
        #expect(orders.count == 24)
        #expect(chiSquare(Array(orders.values), expected: [Double](repeating: 1 / 24.0, count: 24)) < 58.7)
        #expect(stream.permutation(0).isEmpty && stream.permutation(1) == [0])
    }

    /// Moments of 200 000 numbers within five standard deviations, and the shape against the error function.
    @Test func normalHasItsMomentsAndShape() {
        var stream = RandomStream(seed: 5, "normal")
        let n = 200_000
        let x = (0..<n).map { _ in Double(stream.normal()) }
        func moment(_ power: Double) -> Double { x.reduce(0) { $0 + pow($1, power) } / Double(n) }
        let root = Double(n).squareRoot()
        #expect(abs(moment(1)) < 5 / root)
        #expect(abs(moment(2) - 1) < 5 * 2.0.squareRoot() / root)
        #expect(abs(moment(3)) < 5 * 15.0.squareRoot() / root)
        #expect(abs(moment(4) - 3) < 5 * 96.0.squareRoot() / root)
        let edges = [-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3]
        func below(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }
        let cumulative = [0] + edges.map(below) + [1]
        var bins = [Int](repeating: 0, count: edges.count + 1)
        for value in x { bins[edges.count { $0 <= value }] += 1 }
        #expect(chiSquare(bins, expected: zip(cumulative.dropFirst(), cumulative).map { $0 - $1 }) < 33.8)
    }
}

/// Σ (observed − expected)²/expected; the bounds it is compared with are exceeded by chance once in 10⁴ to 10⁵ seeds.
func chiSquare(_ counts: [Int], expected shares: [Double]) -> Double {
    let n = Double(counts.reduce(0, +))
    return zip(counts, shares).reduce(0) { sum, pair in
        let expected = n * pair.1
        return sum + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
    }
}
