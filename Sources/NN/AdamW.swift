import Foundation
import Settings
import TensorCore

/// AdamW with decoupled decay, global-norm clipping and an exponential moving average, in one pass (method §4.5).
///
///     let optimizer = AdamW(model.parameters, settings.optimizer, averageHalfLife: 2500)
///     let tape = Tape(differentiating: model.parameters)
///     tape.backward(from: loss(of: model, on: tape))
///     optimizer.step(tape, rate: 1e-3)
///     optimizer.withAverages { sample(from: model) }
public final class AdamW {
    /// What one update saw.
    public struct Report {
        /// Global norm before clipping, non-finite entries replaced.
        public let gradientNorm: Double
        /// Entries that were NaN or infinite and counted as 0 or ±1e5.
        public let replacedEntries: Int
    }

    public let parameters: [Parameter]
    public let settings: OptimizerSettings
    /// Half-life of the moving average in steps; nil: none is kept.
    public let averageHalfLife: Double?
    /// Updates done; steps skipped because their rate is 0 do not count.
    public private(set) var steps = 0
    private let moment1, moment2: [Tensor]
    private let average: [Tensor]?

    /// - Parameter settings: its rate is not read here, since every step is told its own.
    public init(_ parameters: [Parameter], _ settings: OptimizerSettings, averageHalfLife: Double? = nil) {
        self.parameters = parameters
        self.settings = settings
        self.averageHalfLife = averageHalfLife
        // Of parameters that are shapes only, the state is too: enough to make programs of.
        func like(_ parameter: Parameter, _ make: () -> Tensor) -> Tensor {
            parameter.value.isMeta ? Tensor(meta: parameter.shape) : make()
        }
        moment1 = parameters.map { parameter in like(parameter) { .zeros(parameter.shape) } }
        moment2 = parameters.map { parameter in like(parameter) { .zeros(parameter.shape) } }
        average = averageHalfLife.map { _ in parameters.map { parameter in like(parameter) { parameter.value.copied() } } }
    }

    /// Whether weight decay applies: matrices whose name has none of bias, norm, adaln.
    static func decays(_ parameter: Parameter) -> Bool {
        parameter.shape.count > 1
            && !["bias", "norm", "adaln"].contains(where: parameter.name.contains)
    }

    /// One update at learning rate `rate` with the gradients on `tape`. A rate of 0 changes nothing, moments included.
    /// A parameter that no gradient reached is treated as having gradient 0. `gradientScale` multiplies the gradients
    /// first, for a tape whose loss was a multiple of the one to be minimised.
    @discardableResult
    public func step(_ tape: Tape, rate: Double, gradientScale: Double = 1) -> Report {
        let gradients = parameters.map { tape.gradient(of: $0) ?? .zeros($0.shape) }
        let (norm, replaced) = gradientNorm(of: gradients)
        let report = Report(gradientNorm: gradientScale * norm, replacedEntries: replaced)
        guard rate > 0 else { return report }
        steps += 1
        var update = AdamWUpdate(
            rate: rate, beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon, decay: 0,
            corrections: (1 - pow(settings.beta1, Double(steps)), 1 - pow(settings.beta2, Double(steps))),
            gradientScale: gradientScale, averageRate: averageRate)
        if let clip = settings.clip { update.gradientScale *= min(1, clip / (report.gradientNorm + 1e-6)) }
        for (i, parameter) in parameters.enumerated() {
            update.decay = Self.decays(parameter) ? settings.weightDecay : 0
            update.apply(
                to: parameter.value, moments: (moment1[i], moment2[i]), average: average?[i], gradient: gradients[i])
        }
        Profile.mark("AdamW", bytes: 4 * parameters.reduce(0) { $0 + $1.count } * (average == nil ? 8 : 10))
        return report
    }

    /// What a program that `trace` has made is told about its next update, which is counted here.
    public func numbers(rate: Double) -> Tensor {
        // With a rate of 0 nothing changes, whatever the other numbers are.
        if rate > 0 { steps += 1 }
        let n = Double(max(1, steps))
        let numbers = [rate, 1 - pow(settings.beta1, n), 1 - pow(settings.beta2, n), averageRate]
        return Tensor(numbers.map(Float.init), shape: [TracedAdamW.numberCount])
    }

    /// Makes one update a part of a program: `parameters` are its inputs `NAME/value/…`, as `ParameterSource.program` makes them,
    /// and what is in `state` comes in and goes out under the names there, after `NAME/`. The input `NAME/numbers` is given
    /// `numbers(rate:)`. Replicas average their gradients first, and may share out what is kept beside values (`Replicas.shardsState`).
    ///
    /// - Returns: the global norm of the gradients and how many entries of them were not finite, [1] each.
    public static func trace(
        _ parameters: [Parameter], _ settings: OptimizerSettings, averageHalfLife: Double? = nil, _ tape: Tape, in program: Program,
        name: String, gradientScale: Double = 1
    ) -> (norm: Tensor, replaced: Tensor) {
        trace(
            parameters, settings, averageHalfLife: averageHalfLife, gradients: parameters.map { tape.gradient(of: $0) }, in: program,
            name: name, gradientScale: gradientScale)
    }

    /// The same with gradients at hand; nil: none has reached the parameter.
    public static func trace(
        _ parameters: [Parameter], _ settings: OptimizerSettings, averageHalfLife: Double? = nil, gradients: [Tensor?],
        in program: Program, name: String, gradientScale: Double = 1
    ) -> (norm: Tensor, replaced: Tensor) {
        let gradients = gradients.map { $0.map(program.meanShard) }
        let (whole, replaced) = program.gradientNorm(of: gradients.compactMap { $0 })
        let norm = Float(gradientScale) * whole
        let update = TracedAdamW(
            program, beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon,
            numbers: program.input("\(name)/numbers", [TracedAdamW.numberCount]), norm: norm, clip: settings.clip, scale: gradientScale)
        for (parameter, gradient) in zip(parameters, gradients) {
            func input(_ kind: String) -> Tensor { program.shardInput("\(name)/\(kind)/\(parameter.name)", parameter.shape) }
            let next = update(
                program.shard(of: parameter.value), moments: (input("moment1"), input("moment2")),
                average: averageHalfLife.map { _ in input("average") }, gradient: gradient,
                decay: decays(parameter) ? settings.weightDecay : 0)
            let outputs = [
                ("value", program.gathered(next.value, parameter.shape)), ("moment1", next.moments.0), ("moment2", next.moments.1),
            ]
            for (kind, tensor) in outputs + (next.average.map { [("average", $0)] } ?? []) {
                program.output("\(name)/\(kind)/\(parameter.name)", tensor)
            }
        }
        return (norm, replaced)
    }

    /// The average starts quickly: the share kept is min(2^(−1/half-life), (1+s)/(10+s)) at update s.
    private var averageRate: Double {
        guard let halfLife = averageHalfLife else { return 0 }
        let s = Double(steps)
        return 1 - min(pow(0.5, 1 / halfLife), (1 + s) / (10 + s))
    }

    /// Rows of a parameter become rows of `source` [rows, width], as if they began there: moments 0, the average the values
    /// themselves.
    public func restart(_ parameter: Parameter, rows: [Int], at source: Tensor, rows sources: [Int]) {
        guard let index = parameters.firstIndex(where: { $0 === parameter }) else {
            fatalError("\(parameter.name) is not trained by this optimiser")
        }
        parameter.value.overwriteRows(rows, with: source, rows: sources)
        average?[index].overwriteRows(rows, with: source, rows: sources)
        for moment in [moment1[index], moment2[index]] { moment.overwriteRows(rows, with: nil, rows: sources) }
    }

    /// Runs `body` with the averaged values in the parameters, then puts the trained ones back.
    public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard let average else { return try body() }
        // They change places, so that nothing is held twice.
        func exchange() {
            for (parameter, mean) in zip(parameters, average) { parameter.value.exchange(with: mean) }
        }
        exchange()
        defer { exchange() }
        return try body()
    }

    /// Everything that must be saved to continue exactly: values, moments, averages, and the update count.
    public var state: [(name: String, tensor: Tensor)] {
        parameters.indices.flatMap { i in
            let name = parameters[i].name
            return [("value/\(name)", parameters[i].value), ("moment1/\(name)", moment1[i]), ("moment2/\(name)", moment2[i])]
                + (average.map { [("average/\(name)", $0[i])] } ?? [])
        }
    }

    /// Overwrites the tensors of `state` through `read`, which returns each one's values.
    public func restore(steps: Int, _ read: (_ name: String, _ shape: Shape) throws -> [Float]) rethrows {
        for (name, tensor) in state {
            let values = try read(name, tensor.shape)
            require(values.count == tensor.count, "\(name) holds \(values.count) values, not \(tensor.count)")
            tensor.overwrite(with: values)
        }
        self.steps = steps
    }
}
