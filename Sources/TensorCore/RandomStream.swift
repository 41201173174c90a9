import Foundation

/// A named, seeded stream of random numbers: Philox 4×32-10 (Salmon et al. 2011), keyed by seed and name.
///
/// Streams with different names are independent, and a stream can be opened at any step, so that a resumed
/// run draws what the undisturbed one would have drawn, with nothing to store.
///
///     var stream = RandomStream(seed: 0, "tokenizer/crops", step: 120)
///     let shift = stream.integer(below: 8)
public struct RandomStream: Sendable {
    private let key: (UInt32, UInt32)
    private let step: UInt64
    private var block: UInt64 = 0
    private var buffer: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    private var used = 4

    /// The stream called `name` under `seed`, for one `step` (of training, or an item's number).
    public init(seed: Int, _ name: String, step: Int = 0) {
        // FNV-1a over the name, mixed with the seed: a fixed function, unlike Swift's hashing.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        hash = Self.mixed(hash &+ Self.mixed(UInt64(bitPattern: Int64(seed)) &+ 0x9E37_79B9_7F4A_7C15))
        key = (UInt32(truncatingIfNeeded: hash), UInt32(truncatingIfNeeded: hash >> 32))
        self.step = UInt64(bitPattern: Int64(step))
    }

    private static func mixed(_ x: UInt64) -> UInt64 {
        var z = x
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// One Philox block for a counter.
    package static func philox(
        _ counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
    ) -> (UInt32, UInt32, UInt32, UInt32) {
        var (c, k) = (counter, key)
        for _ in 0..<10 {
            let (high0, low0) = c.0.multipliedFullWidth(by: 0xD251_1F53 as UInt32)
            let (high1, low1) = c.2.multipliedFullWidth(by: 0xCD9E_8D57 as UInt32)
            c = (high1 ^ c.1 ^ k.0, UInt32(low1), high0 ^ c.3 ^ k.1, UInt32(low0))
            k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85)
        }
        return c
    }

    public mutating func nextBits() -> UInt32 {
        if used == 4 {
            let counter = (
                UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32),
                UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step >> 32)
            )
            buffer = Self.philox(counter, key: key)
            block += 1
            used = 0
        }
        used += 1
        switch used {
        case 1: return buffer.0
        case 2: return buffer.1
        case 3: return buffer.2
        default: return buffer.3
        }
    }

    /// Key and step, low halves first: all that a stream is before anything is drawn from it.
    var words: [UInt32] { [key.0, key.1, UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step >> 32)] }

    /// A 64-bit key for kernels that draw their own bits.
    public mutating func nextKey() -> UInt64 { UInt64(nextBits()) << 32 | UInt64(nextBits()) }

    /// Uniform in [0, 1) with 24 bits.
    public mutating func uniform() -> Float { Float(nextBits() >> 8) * 0x1p-24 }

    /// Uniform in 0..<bound, without bias.
    public mutating func integer(below bound: Int) -> Int {
        require(bound > 0 && bound <= Int(UInt32.max), "bound \(bound) is not in 1...\(UInt32.max)")
        let range = UInt32(bound)
        let threshold = (0 &- range) % range
        while true {
            let (high, low) = nextBits().multipliedFullWidth(by: range)
            if low >= threshold { return Int(high) }
        }
    }

    /// Standard normal (Box–Muller, double precision inside).
    public mutating func normal() -> Float {
        let u = (Double(nextBits()) + 1) * 0x1p-32
        let v = Double(nextBits()) * 0x1p-32
        return Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v))
    }

    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        guard count > 1 else { return order }
        for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, integer(below: i + 1)) }
        return order
    }
}
