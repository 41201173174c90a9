import Files

/// A machine that a sweep is planned for without being there: accelerators of one kind, or a rate.
///
/// Peaks are those of dense bfloat16 products with float32 sums, memory and power those of a board, as their makers state them.
public struct PlannedMachine: Equatable, Sendable {
    public let name: String
    public let count: Int
    /// FLOPs a second that one is built for.
    public let peak: Double
    /// Bytes of memory of one, and watts it may draw; nil where only a rate was given.
    public let memory, power: Double?
    /// Share of the peak that the work is taken to reach.
    public let utilisation: Double

    private static let known: [(name: String, teraflops: Double, gigabytes: Double, watts: Double)] = [
        ("a100", 312, 80, 400), ("h100", 989, 80, 700), ("h200", 989, 141, 700), ("b200", 2250, 180, 1000), ("l40s", 362, 48, 350),
        ("rtx4090", 165, 24, 450),
    ]

    /// - Parameters:
    ///   - text: `h100x8`, `a100`, … or `flops=1e15`.
    /// - Throws: `InputError` naming the nearest machine that is known.
    public init(_ text: String, utilisation: Double) throws {
        guard utilisation > 0, utilisation <= 1 else {
            throw InputError("--utilisation \(utilisation) must be a share of the peak, above 0 and at most 1")
        }
        self.utilisation = utilisation
        name = text
        if text.hasPrefix("flops=") {
            guard let rate = Double(text.dropFirst(6)), rate > 0, rate.isFinite else {
                throw InputError("--machine \(text) must give a positive number of FLOPs a second, such as flops=1e15")
            }
            (count, peak, memory, power) = (1, rate, nil, nil)
            return
        }
        let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false)
        // The x of rtx4090 is no count.
        let isCounted = parts.count > 1 && Int(parts[parts.count - 1]) != nil && Self.kind(text.lowercased()) == nil
        let kind = isCounted ? parts.dropLast().joined(separator: "x") : text.lowercased()
        guard let found = Self.kind(kind), let number = isCounted ? Int(parts[parts.count - 1]) : 1, (1...100_000).contains(number)
        else {
            let names = Self.known.map(\.name)
            let hint = nearest(to: kind, among: names).map { "; did you mean \($0)x8?" } ?? ""
            throw InputError(
                "--machine \(text) is not one of \(names.joined(separator: ", ")), with x and a number where there are several "
                    + "(h100x8), nor flops=RATE\(hint)")
        }
        count = number
        (peak, memory, power) = (found.teraflops * 1e12, found.gigabytes * 1e9, found.watts)
    }

    private static func kind(_ name: String) -> (name: String, teraflops: Double, gigabytes: Double, watts: Double)? {
        known.first { $0.name == name }
    }

    /// Seconds that all of it takes for `flops`.
    public func seconds(_ flops: Double) -> Double { flops / (Double(count) * peak * utilisation) }

    /// Seconds of one accelerator.
    public func acceleratorSeconds(_ flops: Double) -> Double { Double(count) * seconds(flops) }

    /// Joules that the accelerators draw at full power; nil where that is not known.
    public func energy(_ flops: Double) -> Double? { power.map { $0 * acceleratorSeconds(flops) } }

    /// In how many parts a batch has to be taken, at least, that needs `bytes` as a whole; nil where the memory is not known.
    public func parts(_ bytes: Double) -> Int? { memory.map { max(1, Int((bytes / (Double(count) * $0)).rounded(.up))) } }
}
