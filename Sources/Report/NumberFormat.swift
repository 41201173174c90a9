import Evaluation
import Foundation

/// How numbers are shown to people. Files for machines keep every digit.
public enum NumberFormat {
    /// With that many decimals; never "-0.00".
    public static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "−∞" : "∞" }
        let text = String(format: "%.*f", decimals, value)
        return text.hasPrefix("-") && !text.contains(where: { ("1"..."9").contains($0) }) ? String(text.dropFirst()) : text
    }

    /// Decimals that mean something beside an interval of half width `margin`: those of its first two digits.
    static func decimals(allowedBy margin: Double, most: Int) -> Int {
        guard margin.isFinite, margin > 0 else { return most }
        return min(most, max(0, 1 - Int(log10(margin).rounded(.down))))
    }

    /// "9.2 ± 0.4 (n=3)", with no more digits than the interval allows; the half width of the 95 % interval stands after ±, and is
    /// left out where there is none.
    static func estimate(_ estimate: Estimate, decimals: Int) -> String {
        guard let margin = estimate.margin else { return "\(fixed(estimate.mean, decimals: decimals)) (n=\(estimate.count))" }
        let decimals = Self.decimals(allowedBy: margin, most: decimals)
        let mean = fixed(estimate.mean, decimals: decimals)
        return "\(mean) ± \(fixed(margin, decimals: decimals)) (n=\(estimate.count))"
    }

    /// With four digits that count.
    public static func significant(_ value: Double) -> String { String(format: "%.4g", value) }

    /// Shortest text that reads back as the same number.
    public static func exact(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(format: "%.0f", value) : "\(value)"
    }
}
