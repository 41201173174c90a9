import Models
import Report
import Settings
import TensorCore

/// Where a workload's time goes, op by op.
struct ProfileTable {
    let workload: Workload
    let precision: Precision
    private static let repetitions = 5

    /// A table of the ops of one repetition, most time first.
    func table() -> Table {
        let repetition = workload.repetition(precision)
        for _ in 0..<2 { repetition() }
        let entries = Profile.of { for _ in 0..<Self.repetitions { repetition() } }
        let total = entries.reduce(0) { $0 + $1.seconds }
        let ceiling = MachineCeiling.measured(bfloat16: precision == .bfloat16)
        var table = Table(columns: [
            .text("op"), .text("direction"), .number("calls", decimals: 0),
            .number("time", key: "milliseconds", unit: "ms", decimals: 2), .number("share", key: "percent", unit: "%", decimals: 1),
            .number("GFLOP/s", decimals: 0), .number("of ceiling", key: "percent_of_ceiling", unit: "%", decimals: 0),
            .number("operands", key: "operand_mib", unit: "MiB", decimals: 0), .number("GB/s", decimals: 1),
        ])
        for entry in entries {
            let rate = Double(entry.operations) / entry.seconds
            let count = Double(Self.repetitions)
            table.add([
                .text(entry.op), .text(entry.isBackward ? "backward" : "forward"), .number(Double(entry.calls) / count),
                .number(1e3 * entry.seconds / count), .number(100 * entry.seconds / total), .number(rate / 1e9),
                .number(100 * rate / ceiling), .number(Double(entry.bytes) / count / 1_048_576),
                .number(Double(entry.bytes) / entry.seconds / 1e9),
            ])
        }
        let operations = Double(entries.reduce(0) { $0 + $1.operations }) / total
        table.add(
            footnote: """
                \(workload.rawValue), \(precision.rawValue), \(Parallel.threads) threads: \(Self.milliseconds(total / Double(Self.repetitions))) a \
                repetition, \(Int(operations / 1e9)) GFLOP/s of matrix products, \(Int(100 * operations / ceiling)) % of the \
                \(Int(ceiling / 1e9)) that products in the first cache reach
                """)
        return table
    }

    private static func milliseconds(_ seconds: Double) -> String { "\((seconds * 1e4).rounded() / 10) ms" }
}
