/// Keeps streams of `SplitMix64` apart that share a seed.
enum DrawPurpose {
    static let shapes: UInt64 = 1
    static let order: UInt64 = 2
    static let subset: UInt64 = 3
    static let split: UInt64 = 4
}
