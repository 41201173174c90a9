import Files
import Foundation

/// Entropy of a discrete variable as estimated from draws, in nats.
public struct EntropyEstimate: Sendable, Equatable, Codable {
    /// Draws.
    public let count: Int
    /// Different values seen.
    public let support: Int
    /// −Σ p log p of the empirical distribution: too low, by about (support − 1) / 2n.
    public let plugIn: Double

    /// With that bias added back (Miller 1955). Both estimates cannot exceed log n by much: where the support is close
    /// to the number of draws, the truth may be anything above.
    public var corrected: Double { plugIn + Double(support - 1) / (2 * Double(max(1, count))) }

    init(counts: some Sequence<Int>) {
        var (total, support, sum) = (0, 0, 0.0)
        // In order, because a dictionary's own changes from process to process, and with it the last digit of the sum.
        for count in counts.sorted() where count > 0 {
            total += count
            support += 1
            sum += Double(count) * log(Double(count))
        }
        count = total
        self.support = support
        plugIn = total == 0 ? 0 : max(0, log(Double(total)) - sum / Double(total))
    }

    public init(of values: some Sequence<Int32>) {
        var counts: [Int32: Int] = [:]
        for value in values { counts[value, default: 0] += 1 }
        self.init(counts: counts.values)
    }
}

/// I(a; b) of two discrete variables, in nats.
public struct MutualInformation: Sendable, Equatable, Codable {
    public let a, b, joint: EntropyEstimate

    /// H(a) + H(b) − H(a, b) of empirical distributions: too high, also for independent variables.
    public var plugIn: Double { a.plugIn + b.plugIn - joint.plugIn }
    /// The same of corrected entropies. About 0 for independent variables, and then as often below as above.
    public var corrected: Double { a.corrected + b.corrected - joint.corrected }

    /// - Parameters: one value of each per draw.
    public init(_ a: [Int32], _ b: [Int32]) {
        precondition(a.count == b.count, "\(a.count) values against \(b.count)")
        var pairs: [Int64: Int] = [:]
        for (x, y) in zip(a, b) { pairs[Int64(x) << 32 | Int64(UInt32(bitPattern: y)), default: 0] += 1 }
        self.a = EntropyEstimate(of: a)
        self.b = EntropyEstimate(of: b)
        joint = EntropyEstimate(counts: pairs.values)
    }
}

/// Entropies of the first 1, 2, … tokens of sequences taken together. Their differences are the conditional entropies
/// H(token k | tokens before it) in the data.
///
/// - Parameter tokens: [sequences, length] row-major.
/// - Returns: an estimate for each prefix length 1…length.
public func prefixEntropies(_ tokens: [Int32], length: Int) -> [EntropyEstimate] {
    precondition(length > 0 && tokens.count % length == 0, "\(tokens.count) tokens are no whole sequences of \(length)")
    let sequences = tokens.count / length
    // A prefix is known by the number of the prefix before it and its own last token.
    var numbers = [Int64](repeating: 0, count: sequences)
    return (0..<length).map { position in
        var known: [Int64: Int64] = [:]
        var counts: [Int] = []
        for row in 0..<sequences {
            let key = numbers[row] << 32 | Int64(UInt32(bitPattern: tokens[row * length + position]))
            let number = known[key] ?? Int64(counts.count)
            if known[key] == nil {
                known[key] = number
                counts.append(0)
            }
            counts[Int(number)] += 1
            numbers[row] = number
        }
        return EntropyEstimate(counts: counts)
    }
}

/// Numbers of `count` bins that hold about equally many of the values each, so that a continuous factor can be treated
/// as a discrete one. Equal values share a bin.
public func quantileBins(_ values: [Float], count: Int) -> [Int32] {
    precondition(count > 0, "\(count) bins")
    let order = values.indices.sorted { values[$0] < values[$1] }
    var bins = [Int32](repeating: 0, count: values.count)
    var previous: (value: Float, bin: Int32)?
    for (rank, index) in order.enumerated() {
        let bin = previous?.value == values[index] ? previous?.bin ?? 0 : Int32(rank * count / max(1, values.count))
        bins[index] = bin
        previous = (values[index], bin)
    }
    return bins
}
