import TensorCore

/// One call of an op whose gradients are compared with finite differences.
struct GradientCase {
    let inputs: [Tensor]
    let apply: ([Tensor]) -> Tensor
    /// What the gradient is defined to be the gradient of, where that is not the op itself.
    var surrogate: (([Tensor]) -> Tensor)?
    var step = 0x1p-6
    /// Inputs that the output does not depend on around this point, so that the gradient must vanish.
    var flat: Set<Int> = []

    init(_ inputs: Tensor..., apply: @escaping ([Tensor]) -> Tensor) {
        self.inputs = inputs
        self.apply = apply
    }

    var title: String { inputs.map { "\($0.shape)" }.joined(separator: " ") }
}

/// Compares the tape's gradients of f = Σ w·op(inputs), w fixed and random, with differences of float32 values.
///
/// The derivative of f along a direction d is (8(f(h) − f(−h)) − (f(2h) − f(−2h)))/12h, whose own error of h⁴f⁽⁵⁾/30
/// is far below float32 noise at h = 1/64. Inputs, directions and h are binary fractions, so that every x + h·d is
/// exact; f is summed in double precision, so that noise comes from the op's own rounding only: about 2⁻²⁴·|y| in
/// each output that moved, divided by h. A difference counts when it exceeds 1/1000 of the gradient's size plus
/// eight times that noise. Along the gradient's own signs, where the slope is Σ|gradient|, noise must leave an error
/// of 1/100 visible, or the check itself fails.
struct GradientCheck {
    let op: String
    let example: GradientCase
    private let weights: [Float]
    private let gradients: [[Float]]
    private(set) var failures: [String] = []

    init(op: String, _ example: GradientCase) {
        self.init(op: op, example, gradients: nil)
        subsets()
        reuse()
    }

    /// Compares gradients of another origin, one for each input.
    init(op: String, _ example: GradientCase, gradients: [[Float]]) { self.init(op: op, example, gradients: .some(gradients)) }

    private init(op: String, _ example: GradientCase, gradients: [[Float]]?) {
        self.op = op
        self.example = example
        let count = example.apply(example.inputs).count
        weights = random([count], "weights").values
        self.gradients = gradients ?? Self.gradients(of: example, weights: weights).map { $0?.values ?? [] }
        let gradients = self.gradients
        for (input, value) in example.inputs.enumerated() {
            guard gradients[input].count == value.count else {
                failures.append("\(op) \(example.title): no gradient reached input \(input)")
                continue
            }
            entries(input)
            directions(input)
        }
    }

    /// Gradients of the weighted sum with respect to the inputs in `wanted` (nil: all).
    private static func gradients(of example: GradientCase, weights: [Float], wanted: Int? = nil) -> [Tensor?] {
        let tape = Tape()
        let inputs = example.inputs.enumerated().map { index, value in
            wanted == nil || wanted == index ? tape.variable(value) : tape.constant(value)
        }
        tape.backward(from: weightedSum(example.apply(inputs), weights: weights))
        return inputs.map { tape.gradient(of: $0) }
    }

    // MARK: Finite differences

    /// All entries of a small input; the first, the last and some others of a large one.
    private mutating func entries(_ input: Int) {
        let gradient = gradients[input]
        var stream = RandomStream(seed: 3, "entries")
        let some =
            gradient.count <= 48
            ? Array(gradient.indices)
            : [0, gradient.count - 1] + (0..<16).map { _ in stream.integer(below: gradient.count) }
        let size = rootMeanSquare(gradient)
        for entry in some { compare(input, [(entry, 1)], size: size) { "entry \(entry)" } }
    }

    /// Random directions over all of an input and over each eighth of a larger one, and the gradient's own signs.
    private mutating func directions(_ input: Int) {
        let gradient = gradients[input]
        var stream = RandomStream(seed: 4, "directions")
        let eighths =
            gradient.count < 64
            ? []
            : (0..<8).map {
                gradient.count * $0 / 8..<gradient.count * ($0 + 1) / 8
            }
        for range in [0..<gradient.count, 0..<gradient.count] + eighths {
            let moves = range.map { ($0, max(-2, min(2, (stream.normal() * 16).rounded() / 16))) }
            let length = moves.reduce(0) { $0 + Double($1.1 * $1.1) }.squareRoot()
            compare(input, moves, size: rootMeanSquare(gradient[range]) * length) { "random direction over \(range)" }
        }
        let signs = gradient.indices.map { ($0, gradient[$0] < 0 ? Float(-1) : 1) }
        compare(input, signs, size: 0, mustSee: true) { "direction of the gradient's signs" }
    }

    private mutating func compare(
        _ input: Int, _ moves: [(Int, Float)], size: Double, mustSee: Bool = false, _ what: () -> String
    ) {
        let expected = moves.reduce(0) { $0 + Double(gradients[input][$1.0]) * Double($1.1) }
        let (measured, noise) = slope(input, moves)
        let flat = example.flat.contains(input)
        let floor = 8 * noise + 4e-6 * rootMeanSquare(weights) * (flat ? Double(moves.count) : 1)
        let scale = max(abs(expected), abs(measured), size)
        if mustSee && !flat && floor > 0.01 * scale {
            failures.append("\(op) \(example.title), input \(input), \(what()): noise \(floor) hides a slope of \(scale)")
        }
        if !(abs(expected - measured) <= 1e-3 * (flat ? 0 : scale) + floor) {
            failures.append(
                "\(op) \(example.title), input \(input), \(what()): the tape says \(expected), differences \(measured)")
        }
    }

    /// The derivative of the weighted sum as `moves` are made, and how uncertain float32 makes it.
    private func slope(_ input: Int, _ moves: [(Int, Float)]) -> (value: Double, noise: Double) {
        let f = example.surrogate ?? example.apply
        let h = example.step
        func outputs(_ distance: Double) -> Tensor {
            var inputs = example.inputs
            inputs[input] = inputs[input].copied()
            inputs[input].overwrite { values in
                for (entry, direction) in moves { values[entry] += Float(distance) * direction }
            }
            return f(inputs)
        }
        let (a, b, c, d) = (outputs(-2 * h).values, outputs(-h).values, outputs(h).values, outputs(2 * h).values)
        let typical = rootMeanSquare(c)
        var (sum, variance) = (0.0, 0.0)
        for j in 0..<a.count {
            let y = (Double(a[j]), Double(b[j]), Double(c[j]), Double(d[j]))
            if y.0 == y.1 && y.1 == y.2 && y.2 == y.3 { continue }
            let w = Double(weights[j])
            sum += w * (8 * (y.2 - y.1) - (y.3 - y.0)) / (12 * h)
            variance += w * w * (typical + abs(y.2)) * (typical + abs(y.2))
        }
        return (sum, 0x1p-24 / h * variance.squareRoot())
    }

    // MARK: The tape's own rules

    /// The gradient of one input is the same, to the bit, when the others are constants.
    private mutating func subsets() {
        guard example.inputs.count > 1 else { return }
        for input in example.inputs.indices {
            let alone = Self.gradients(of: example, weights: weights, wanted: input)
            if alone[input]?.values != gradients[input] {
                failures.append("\(op) \(example.title): the gradient of input \(input) changes when the others are constants")
            }
            if alone.indices.contains(where: { $0 != input && alone[$0] != nil }) {
                failures.append("\(op) \(example.title): a constant got a gradient")
            }
        }
    }

    /// An input used twice gets the sum of both gradients.
    private mutating func reuse() {
        let tape = Tape()
        let inputs = example.inputs.map { tape.variable($0) }
        let twice =
            weightedSum(example.apply(inputs), weights: weights)
            + weightedSum(example.apply(inputs), weights: weights.map { 2 * $0 })
        tape.backward(from: twice)
        for (input, variable) in inputs.enumerated() where !example.flat.contains(input) {
            let sum = tape.gradient(of: variable)?.values ?? []
            let size = rootMeanSquare(gradients[input])
            let wrong = zip(sum, gradients[input]).contains { abs($0 - 3 * $1) > 1e-5 * (abs($0) + Float(size)) }
            if wrong || sum.count != gradients[input].count {
                failures.append("\(op) \(example.title): gradients of two uses of input \(input) do not add up")
            }
        }
    }
}

func rootMeanSquare<Values: Collection<Float>>(_ values: Values) -> Double {
    (values.reduce(0) { $0 + Double($1) * Double($1) } / Double(max(1, values.count))).squareRoot()
}

/// Standard normal numbers, cut at ±3, as multiples of 1/4096; entries closer to 0 than `atLeast` are moved out.
func random(_ shape: Shape, _ name: String = "x", atLeast: Float = 0) -> Tensor {
    var stream = RandomStream(seed: 11, name)
    let values = (0..<shape.elementCount).map { _ -> Float in
        let x = (max(-3, min(3, stream.normal())) * 4096).rounded() / 4096
        return abs(x) < atLeast ? (x < 0 ? x - atLeast : x + atLeast) : x
    }
    return Tensor(values, shape: shape)
}

/// Ids below `bound`.
func randomIds(_ shape: Shape, below bound: Int, _ name: String = "ids") -> TokenTensor {
    var stream = RandomStream(seed: 12, name)
    return TokenTensor((0..<shape.elementCount).map { _ in Int32(stream.integer(below: bound)) }, shape: shape)
}
