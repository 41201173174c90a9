import Accelerators
import Foundation
import PJRT
import Report
import TensorCore

/// Times programs of the paper's sizes on a device. What they read is made up: their speed does not depend on it.
struct ProgramBench {
    let accelerator: Accelerator
    let scale: PaperProgram.Scale
    let repetitions: Int

    /// Of one program, as a line of JSON for those who compare.
    struct Measurement: Encodable {
        let program, device: String
        let batch: Int
        let compiling_seconds: Double
        /// Of each repetition, waited for.
        let seconds: [Double]
        /// Of one of several that follow one another without waiting, as in training.
        let chained_seconds: Double
        /// FLOPs of matrix products over `chained_seconds`; nil where they are not counted.
        let tflop_per_second: Double?
        let peak_gib: Double?
        /// What the program returned last: a training step's loss.
        let loss: Float?
        /// What was noted while it was compiled, such as that the plugin refuses fused attention.
        let notes: [String]
    }

    func measure(_ program: PaperProgram) throws -> Measurement {
        var notes: [String] = []
        accelerator.note = { notes.append($0) }
        let traced = program.traced(scale)
        let start = ContinuousClock.now
        let compiled = try accelerator.compile(traced)
        let compiling = (ContinuousClock.now - start) / .seconds(1)
        var inputs: [String: Buffer] = [:]
        for slot in traced.inputs { inputs[slot.name] = try made(slot, for: program) }
        var state = inputs.filter { traced.updated.contains($0.key) }
        let constants = inputs.filter { !traced.updated.contains($0.key) }
        inputs = [:]
        var last: ProgramValues?
        func once(waiting: Bool) throws {
            let values = try compiled.run(constants, updating: &state)
            if waiting { try wait(for: values, traced) }
            last = values
        }
        for _ in 0..<2 { try once(waiting: true) }
        let seconds = try (0..<repetitions).map { _ in try timed { try once(waiting: true) } }
        let chained = try timed {
            for _ in 0..<repetitions { try once(waiting: false) }
            if let last { try wait(for: last, traced) }
        }
        let peak = try accelerator.device.memory()?.peak
        return Measurement(
            program: program.rawValue, device: accelerator.description, batch: program.batch(scale), compiling_seconds: compiling,
            seconds: seconds, chained_seconds: chained / Double(repetitions),
            tflop_per_second: program.flops(scale).map { $0 * Double(repetitions) / chained / 1e12 },
            peak_gib: peak.map { Double($0) / 1_073_741_824 }, loss: try last.flatMap { try loss($0, traced) }, notes: notes)
    }

    private func timed(_ work: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try work()
        return (ContinuousClock.now - start) / .seconds(1)
    }

    private func loss(_ values: ProgramValues, _ program: TracedProgram) throws -> Float? {
        program.outputs.contains { $0.name == "loss" } ? try values.tensor("loss").scalar : nil
    }

    /// A result that is small enough to fetch is there when all is.
    private func wait(for values: ProgramValues, _ program: TracedProgram) throws {
        if try loss(values, program) == nil { _ = try values.tokens("ids") }
    }

    private func made(_ slot: TracedProgram.Slot, for program: PaperProgram) throws -> Buffer {
        let count = slot.shape.elementCount
        var stream = RandomStream(seed: 0, "bench/\(slot.name)")
        switch slot.element {
        case .i32:
            let limit = program.idLimit(slot.name, scale)
            return try accelerator.copy(
                TokenTensor((0..<count).map { _ in Int32(stream.integer(below: limit)) }, shape: slot.shape))
        case .ui32: return try accelerator.copy(words: (0..<count).map { _ in UInt32(stream.integer(below: 1 << 30)) })
        default: break
        }
        if slot.name.hasSuffix("/numbers") { return try accelerator.copy(Tensor([1e-4, 1, 1, 1e-3], shape: slot.shape)) }
        if ["scales", "temperatures"].contains(slot.name) { return try accelerator.copy(Tensor(repeating: 1.5, shape: slot.shape)) }
        // As many different numbers as are quickly drawn, again and again.
        let some = (0..<min(count, 4099)).map { _ in 0.02 * stream.normal() }
        let isSquare = slot.name.contains("/moment2/")
        let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            for i in 0..<count { buffer[i] = isSquare ? 1e-4 * abs(some[i % some.count]) : some[i % some.count] }
            initialized = count
        }
        return try accelerator.copy(Tensor(values, shape: slot.shape))
    }

    static func table(_ measured: [Measurement]) -> Table {
        var table = Table(columns: [
            .text("program"), .number("batch", decimals: 0), .number("compiling", key: "compiling_seconds", unit: "s", decimals: 1),
            .number("median", key: "seconds", unit: "ms", decimals: 2),
            .number("in a row", key: "chained_seconds", unit: "ms", decimals: 2),
            .number("TFLOP/s", decimals: 1), .number("peak", key: "peak_gib", unit: "GiB", decimals: 1), .number("loss", decimals: 4),
        ])
        for result in measured {
            let sorted = result.seconds.sorted()
            table.add([
                .text(result.program), .number(Double(result.batch)), .number(result.compiling_seconds),
                .number(1e3 * sorted[sorted.count / 2]), .number(1e3 * result.chained_seconds), .number(result.tflop_per_second),
                .number(result.peak_gib), .number(result.loss.map(Double.init)),
            ])
            for note in result.notes { table.add(footnote: note) }
        }
        for device in Set(measured.map(\.device)).sorted() { table.add(footnote: device) }
        return table
    }
}
