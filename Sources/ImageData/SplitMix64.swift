/// SplitMix64 (Steele, Lea and Flood 2014): draw k of a stream is `mix(key + (k+1)·γ)`, so a stream is nothing but its key.
///
/// It draws the shapes, the held-out images and the order of batches. The engine's Philox (`RandomStream`) would do as well, but
/// what has been drawn is part of what finished stages are known by, so these bits must stay; and data sets know no engine.
struct SplitMix64 {
    /// Keeps streams apart that share a seed.
    enum Purpose {
        static let shapes: UInt64 = 1
        static let order: UInt64 = 2
        static let subset: UInt64 = 3
        static let split: UInt64 = 4
    }

    private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var state: UInt64

    /// A stream that depends on every part of the key: key ← mix(key ⊕ mix(part + γ)) over the parts.
    init(key parts: UInt64...) {
        state = parts.reduce(0) { key, part in Self.mix(key ^ Self.mix(part &+ Self.increment)) }
    }

    private static func mix(_ bits: UInt64) -> UInt64 {
        var z = bits
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.mix(state)
    }

    /// Uniform in `range`, from 24 bits.
    mutating func uniform(_ range: ClosedRange<Float>) -> Float {
        range.lowerBound + (range.upperBound - range.lowerBound) * (Float(next() >> 40) * 0x1p-24)
    }

    /// Uniform in 0..<bound; the bias is below bound/2⁶⁴.
    mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// 0..<count in an order drawn by Fisher and Yates' shuffle.
    mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, below(last + 1)) }
        return order
    }
}
