import Files
import Foundation

/// One compared key of a reference pack.
public struct PackCheck: Sendable {
    public let key: String
    public let passed: Bool
    /// What was measured against what was allowed, for people.
    public let detail: String
}

/// Collects checks of computed values against a pack's tensors, under the packs' tolerances.
struct PackComparison {
    let file: SafetensorsFile
    private(set) var checks: [PackCheck] = []

    init(_ file: SafetensorsFile) { self.file = file }

    /// Largest error as a share of the reference's largest entry.
    mutating func values(_ key: String, _ computed: [Float], tolerance: Double) throws {
        let expected = try file.doubles(key)
        guard expected.count == computed.count else {
            return add(key, false, "\(computed.count) values, expected \(expected.count)")
        }
        var error = 0.0
        var largest = 0.0
        for (a, b) in zip(computed, expected) {
            // NaN must fail, and max(…) would drop it.
            let difference = abs(Double(a) - b)
            error = difference.isNaN ? .infinity : max(error, difference)
            largest = max(largest, abs(b))
        }
        let relative = error == 0 ? 0 : error / max(largest, .leastNormalMagnitude)
        add(key, relative <= tolerance, "largest error \(short(relative)) of the largest entry, allowed \(short(tolerance))")
    }

    /// Relative error of each value.
    mutating func relative(_ key: String, _ computed: [Double], tolerance: Double) throws {
        let expected = try file.doubles(key)
        guard expected.count == computed.count else {
            return add(key, false, "\(computed.count) values, expected \(expected.count)")
        }
        let error = zip(computed, expected).map { abs($0 - $1) / max(abs($1), .leastNormalMagnitude) }
        let worst = error.contains(where: \.isNaN) ? .infinity : error.max() ?? 0
        add(key, worst <= tolerance, "largest relative error \(short(worst)), allowed \(short(tolerance))")
    }

    /// Share of values within 1e-4 of the largest entry; at least 99 % must be.
    mutating func mostly(_ key: String, _ computed: [Float]) throws {
        let expected = try file.doubles(key)
        guard expected.count == computed.count else {
            return add(key, false, "\(computed.count) values, expected \(expected.count)")
        }
        let largest = expected.reduce(0) { max($0, abs($1)) }
        let near = zip(computed, expected).filter { abs(Double($0) - $1) <= 1e-4 * largest }.count
        let share = Double(near) / Double(max(1, expected.count))
        add(key, share >= 0.99, "\(short(100 * share)) % of entries within 1e-4, needed 99 %")
    }

    /// Integers, equal.
    mutating func equal(_ key: String, _ computed: [Int32]) throws {
        let expected = try file.ints(key)
        guard expected.count == computed.count else {
            return add(key, false, "\(computed.count) ids, expected \(expected.count)")
        }
        let differing = zip(computed, expected).filter { Int($0) != $1 }.count
        add(key, differing == 0, "\(differing) of \(expected.count) differ, allowed 0")
    }

    mutating func add(_ key: String, _ passed: Bool, _ detail: String) {
        checks.append(PackCheck(key: key, passed: passed, detail: detail))
    }

    private func short(_ value: Double) -> String { String(format: "%.2g", value) }
}
