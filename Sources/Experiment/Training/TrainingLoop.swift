import Files
import Foundation
import NN
import RunStore
import Settings
import TensorCore

/// The part that every training shares: steps, metrics, progress, checkpoints, resuming.
///
/// A checkpoint holds all that the next step depends on (parameters, moments, averages, update counts, `state`); random draws
/// and data order follow from seed and step. So a resumed training is the undisturbed one, bit for bit.
struct TrainingLoop {
    let name: String
    let settings: TrainingSettings
    /// Names of the values a step reports, in the order of the columns of `metrics.h5`.
    let columns: [String]
    let optimizers: [(name: String, optimizer: AdamW)]
    /// What steps change beside what optimisers hold, such as running moments.
    var state: [(name: String, tensor: Tensor)] = []
    /// Where the steps run, if not on this program's own kernels, and what brings that which they have changed there to the
    /// tensors of `optimizers` and `state`.
    var device: (name: String, bringBack: () throws -> Void)?

    private var steps: Int { settings.steps }

    static let checkpointFile = "checkpoint.h5"
    static let metricsFile = "metrics.h5"

    /// Runs `body` for every step not yet done; its values are kept every `logEvery` steps, when `logs` is true.
    /// The checkpoint goes when the stage is complete, unless it is to stay: until then a kill costs no more than its steps.
    func run(
        _ work: StageWork, _ context: ExperimentContext,
        step body: (_ step: Int, _ logs: Bool) throws -> [String: Float], save: () throws -> Void
    ) throws -> [String: Float] {
        let (first, metrics) = try restore(work, context)
        var last: [String: Float] = [:]
        var rate = RateMeter()
        let start = ContinuousClock.now
        var storing = Duration.zero
        func store(_ body: () throws -> Void) rethrows {
            let start = ContinuousClock.now
            defer { storing += .now - start }
            try body()
        }
        for step in first..<steps {
            let logs = step % settings.logEvery == 0 || step == steps - 1
            let values = try body(step, logs)
            rate.tick()
            if logs {
                last = values
                let shown = columns.compactMap { name in values[name].map { (name, Double($0)) } }
                try store {
                    try metrics.append(step: step, wallSeconds: work.wallSeconds, values)
                    try work.report(
                        Status(
                            .running, step: step + 1, of: steps, rate: rate.perSecond,
                            values: Dictionary(shown, uniquingKeysWith: { $1 })))
                }
                context.progress.update(
                    StageProgress(
                        stage: name, step: step + 1, steps: steps, rate: rate.perSecond, values: shown.prefix(4).map { $0 }))
            }
            let interrupted = Result { try Interruption.check() }
            if case .failure = interrupted, step + 1 < steps {
                try checkpoint(work, context, metrics: metrics, step: step + 1)
                try metrics.close()
                context.progress.finish()
            }
            if step + 1 < steps { try interrupted.get() }
            if (step + 1) % settings.checkpointEvery == 0, step + 1 < steps {
                try store { try checkpoint(work, context, metrics: metrics, step: step + 1) }
            }
        }
        try store {
            try metrics.sync()
            try metrics.close()
        }
        context.progress.finish()
        if last.isEmpty { last = try lastValues(work) }
        if first < steps {
            try store { try checkpoint(work, context, metrics: nil, step: steps) }
            let (all, stored) = ((ContinuousClock.now - start) / .seconds(1), storing / .seconds(1))
            try work.log(
                String(
                    format: "%d steps in %.1f s, %.2f s of it (%.2f %%) for metrics, status and checkpoints", steps - first, all,
                    stored, 100 * stored / all))
        }
        try device?.bringBack()
        try save()
        if settings.keepCheckpoints == .none { work.discardWhenComplete(Self.checkpointFile) }
        return last
    }

    /// All that the next step depends on, by its name in a checkpoint. The tensors are those that steps change.
    private var stateTensors: [(name: String, tensor: Tensor)] {
        optimizers.flatMap { name, optimizer in optimizer.state.map { ("\(name)/\($0.name)", $0.tensor) } }
            + state.map { ("state/\($0.name)", $0.tensor) }
    }

    private func checkpoint(
        _ work: StageWork, _ context: ExperimentContext, metrics: MetricsFile?, step: Int
    ) throws {
        try device?.bringBack()
        // A checkpoint must not be younger than the rows that it continues.
        try metrics?.sync()
        var counters = ["step": Int64(step)]
        for (name, optimizer) in optimizers { counters["\(name)/updates"] = Int64(optimizer.steps) }
        let digest = try Checkpoint.write(
            stateTensors.map { name, tensor in
                Checkpoint.Entry(name, shape: tensor.shape) { write in try tensor.read { try write($0) } }
            }, counters: counters, metadata: ["threads": .int(Parallel.threads), "device": .string(deviceName)],
            to: work.url(Self.checkpointFile))
        if settings.keepCheckpoints == .all { try keep(work, step: step) }
        context.log.debug("checkpoint", metadata: ["stage": "\(work.stage.id)", "step": "\(step)", "sha256": "\(digest)"])
        var status = work.stage.status ?? Status(.running)
        (status.step, status.steps, status.updated) = (step, steps, Date())
        try work.report(status)
    }

    private static let ownKernels = "cpu"
    private var deviceName: String { device?.name ?? Self.ownKernels }

    /// Gives the checkpoint a second name, under which the next one does not replace it.
    private func keep(_ work: StageWork, step: Int) throws {
        let folder = work.url("checkpoints")
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw InputError(file: folder.path, cannot: "make this folder", because: error)
        }
        let digits = String(step)
        let name = "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".h5"
        try AtomicFile.link(work.url(Self.checkpointFile), as: folder.appendingPathComponent(name))
    }

    /// The step to go on with, and the metrics up to it. Where either file is proven to be damaged, that is noted and the
    /// training starts over. One that cannot be read now, because another program holds it or the disk fails, throws: with
    /// the reason gone, the training goes on.
    private func restore(_ work: StageWork, _ context: ExperimentContext) throws -> (step: Int, metrics: MetricsFile) {
        let (url, series) = (work.url(Self.checkpointFile), work.url(Self.metricsFile))
        func startOver(because error: InputError? = nil) throws -> (Int, MetricsFile) {
            if let error {
                try work.log("starting over: \(error)")
                context.log.warning("starting over: \(error)", metadata: ["stage": "\(work.stage.id)"])
            }
            return (0, try MetricsFile.create(at: series, columns: columns))
        }
        guard try isPresent(url) else { return try startOver() }
        let checkpoint: CheckpointFile
        let metrics: MetricsFile
        do {
            checkpoint = try CheckpointFile(verifying: url)
            let step = Int(checkpoint.counters["step"] ?? 0)
            metrics = try MetricsFile.resume(at: series, through: step - 1, columns: columns)
        } catch let error as InputError where error.isDamage {
            return try startOver(because: error)
        }
        for (name, optimizer) in optimizers {
            try optimizer.restore(steps: Int(checkpoint.counters["\(name)/updates"] ?? 0)) { tensorName, shape in
                try checkpoint.values(of: "\(name)/\(tensorName)", shape: shape)
            }
        }
        for (name, tensor) in state {
            let saved = try checkpoint.values(of: "state/\(name)", shape: tensor.shape)
            tensor.overwrite(with: saved)
        }
        let step = Int(checkpoint.counters["step"] ?? 0)
        let threads = checkpoint.metadata["threads"]?.intValue ?? Parallel.threads
        let other = threads == Parallel.threads ? "" : ", made with \(threads) threads, with \(Parallel.threads): equal to rounding only"
        let device = checkpoint.metadata["device"]?.stringValue ?? Self.ownKernels
        let moved = device == deviceName ? "" : ", made on \(device), on \(deviceName): equal to rounding only"
        try work.log("resuming at step \(step)\(other)\(moved)")
        context.log.info("resuming", metadata: ["stage": "\(work.stage.id)", "step": "\(step)"])
        return (step, metrics)
    }

    private func lastValues(_ work: StageWork) throws -> [String: Float] {
        let table = try MetricsFile.read(work.url(Self.metricsFile))
        // A column that a training does not have is not a number in the file.
        return table.values.compactMapValues { $0.last.flatMap { $0.isNaN ? nil : $0 } }
    }
}

/// Steps a second over the last while.
struct RateMeter {
    private var times: [ContinuousClock.Instant] = [.now]

    mutating func tick() {
        times.append(.now)
        if times.count > 51 { times.removeFirst() }
    }

    var perSecond: Double? {
        guard times.count > 1, let first = times.first, let last = times.last else { return nil }
        let seconds = (last - first) / .seconds(1)
        return seconds > 0 ? Double(times.count - 1) / seconds : nil
    }
}
