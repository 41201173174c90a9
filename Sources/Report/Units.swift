import Foundation

/// Amounts in the units that people use.
public enum Units {
    /// "12 s", "3 min 20 s", "5 h 10 min", "12 days", "3.4 years"; rounded up.
    public static func time(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e15 else { return "for ever" }
        let whole = Int(seconds.rounded(.up))
        let day = 86_400
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(whole / 60) min \(whole % 60) s"
        case ..<(2 * day): return "\(whole / 3600) h \(whole % 3600 / 60) min"
        case ..<(730 * day): return "\((whole + day - 1) / day) days"
        default: return "\(threeDigits(seconds / 86_400 / 365.25)) years"
        }
    }

    /// "3.2 EFLOP"
    public static func flops(_ count: Double) -> String {
        let (value, prefix) = scaled(count, by: 1000, ["", "k", "M", "G", "T", "P", "E", "Z", "Y"])
        return "\(value) \(prefix)FLOP"
    }

    /// "1.5 GiB"
    public static func bytes(_ count: Double) -> String {
        let (value, prefix) = scaled(count, by: 1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi"])
        return "\(value) \(prefix)B"
    }

    /// "115 M"; below ten thousand as it is.
    public static func count(_ count: Double) -> String {
        if count < 10_000 { return threeDigits(count) }
        let (value, prefix) = scaled(count, by: 1000, ["", "k", "M", "G", "T", "P", "E"])
        return "\(value) \(prefix)"
    }

    /// What a GPU of a data centre does in training: two fifths of the 312 TFLOP/s that an A100 is built for in bfloat16.
    static let gpuRate = 125e12

    /// "2.3 GPU-days"; nil below a tenth of one.
    public static func gpuTime(_ flops: Double) -> String? {
        let seconds = flops / gpuRate
        return seconds < 8640 ? nil : gpuTime(seconds: seconds)
    }

    /// Time of one accelerator, in days or years from a tenth of a day on: "466 GPU-days", "3.2 GPU-years".
    public static func gpuTime(seconds: Double) -> String {
        let days = seconds / 86_400
        if days < 0.1 { return "\(threeDigits(seconds / 3600)) GPU-hours" }
        return days < 1000 ? "\(threeDigits(days)) GPU-days" : "\(threeDigits(days / 365.25)) GPU-years"
    }

    /// "12 MWh"
    public static func energy(_ joules: Double) -> String {
        let (value, prefix) = scaled(joules / 3600, by: 1000, ["", "k", "M", "G", "T"])
        return "\(value) \(prefix)Wh"
    }

    /// What `gpuTime` takes for granted.
    public static let gpu = "a GPU here does 125 TFLOP/s, two fifths of an A100's peak"

    private static func scaled(_ value: Double, by step: Double, _ prefixes: [String]) -> (String, String) {
        var (value, place) = (value, 0)
        // 999.6 would be shown as 1000.
        while value >= step - 0.5, place < prefixes.count - 1 { (value, place) = (value / step, place + 1) }
        return (threeDigits(value), prefixes[place])
    }

    private static func threeDigits(_ value: Double) -> String {
        guard value > 0 else { return "0" }
        if value >= 99.95 { return String(format: "%.0f", value) }
        return NumberFormat.exact(Double(String(format: value < 0.0995 ? "%.1g" : value < 9.995 ? "%.2f" : "%.1f", value)) ?? value)
    }
}
