import Accelerators
import Foundation
import RunStore
import Settings
import TensorCore

/// Timed repetitions of one workload, in the form that the comparison with PyTorch reads too.
struct Measurement: Encodable {
    let workload: String
    let side = "prologue"
    let mode: String
    let seconds: [Double]
    let tokens_per_second: Double
    let images_per_second: Double
    /// Largest resident set of the process so far.
    let peak_mib: Double
    /// Most memory in tensors at once; on a device, where it keeps account.
    let tensor_mib: Double?
    let threads: Int
    /// When, on what, with which OpenBLAS core.
    let date, processor, blas_core: String
    /// Where the models ran; nil: on this program's own kernels.
    let device: String?
    /// Matrix products only, over the median time.
    let gflop_per_second: Double
    /// What products of this precision reach in the first cache; unknown of a device.
    let ceiling_gflop_per_second: Double?

    /// Times repetitions one by one.
    init(
        _ workload: Workload, _ precision: Precision, on accelerator: Accelerator? = nil, _ repetition: () throws -> Void,
        repetitions: Int
    ) throws {
        BufferPool.shared.resetPeak()
        seconds = try (0..<repetitions).map { _ in
            let start = ContinuousClock.now
            try repetition()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        let sorted = seconds.sorted()
        let median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        self.workload = workload.rawValue
        mode = precision.rawValue
        tokens_per_second = Double(workload.tokens) / median
        images_per_second = Double(workload.images) / median
        peak_mib = Double(StageWork.peakMemoryBytes) / 1_048_576
        let tensors = try accelerator.map { try $0.device.memory()?.peak } ?? BufferPool.shared.use.peak
        tensor_mib = tensors.map { Double($0) / 1_048_576 }
        device = accelerator?.description
        threads = Parallel.threads
        date = ISO8601DateFormatter().string(from: Date())
        (processor, blas_core) = (Self.processor, BLAS.core)
        gflop_per_second = workload.operations / median / 1e9
        ceiling_gflop_per_second = accelerator == nil ? (precision == .float32 ? Self.ceiling32 : Self.ceiling16) / 1e9 : nil
    }

    private static let ceiling32 = MachineCeiling.measured(bfloat16: false)
    private static let ceiling16 = MachineCeiling.measured(bfloat16: true)

    /// As Linux names it.
    private static let processor: String = {
        let lines = ((try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "").split(separator: "\n")
        let name = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last
        return name.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    }()
}

extension Encodable {
    /// As a line of JSON.
    var line: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}
