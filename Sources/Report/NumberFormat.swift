import Evaluation
import Foundation

/// How numbers are shown to people. Files for machines keep every digit.
enum NumberFormat {
    /// With that many decimals; never "-0.00".
    static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "−∞" : "∞" }
        let text = String(format: "%.*f", decimals, value)
        return text.hasPrefix("-") && !text.contains(where: { ("1"..."9").contains($0) }) ? String(text.dropFirst()) : text
    }

    /// "9.2 ± 0.4 (n=3)"; the half width of the 95 % interval stands after ±, and is left out where there is none.
    ///
    /// - Parameter decimals: at most; digits beyond the second of the half width say nothing.
    static func estimate(_ estimate: Estimate, decimals: Int) -> String {
        guard let margin = estimate.margin else { return "\(fixed(estimate.mean, decimals: decimals)) (n=\(estimate.count))" }
        let useful = margin > 0 && margin.isFinite ? max(0, 1 - Int(log10(margin).rounded(.down))) : decimals
        let decimals = min(decimals, useful)
        return "\(fixed(estimate.mean, decimals: decimals)) ± \(fixed(margin, decimals: decimals)) (n=\(estimate.count))"
    }

    /// Shortest text that reads back as the same number.
    static func exact(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(format: "%.0f", value) : "\(value)"
    }
}
