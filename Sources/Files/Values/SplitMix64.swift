/// SplitMix64 (Steele, Lea and Flood 2014): draw k of a stream is `mix(key + (k+1)·γ)`, so a stream is nothing but its key, and the
/// same on every machine and Swift version.
///
/// It draws what is drawn where no engine is known: pictures, their order and choice, resamples, batches of a fit. The engine's Philox
/// (`RandomStream`) would do as well, but finished stages and stored scores are known by these bits.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// A stream that depends on every part of the key: key ← mix(key ⊕ mix(part + γ)) over the parts.
    public init(key parts: UInt64...) {
        state = parts.reduce(0) { key, part in Self.mix(key ^ Self.mix(part &+ Self.increment)) }
    }

    private static func mix(_ bits: UInt64) -> UInt64 {
        var z = bits
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    public mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.mix(state)
    }

    /// Uniform in `range`, from 24 bits.
    public mutating func uniform(_ range: ClosedRange<Float>) -> Float {
        range.lowerBound + (range.upperBound - range.lowerBound) * (Float(next() >> 40) * 0x1p-24)
    }

    /// Uniform in 0..<bound; the bias is below bound/2⁶⁴. The standard library's algorithm is not promised to stay.
    public mutating func index(below bound: Int) -> Int {
        precondition(bound > 0, "an index below \(bound)")
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// 0..<count in an order drawn by Fisher and Yates' shuffle.
    public mutating func permutation(of count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, index(below: last + 1)) }
        return order
    }
}
