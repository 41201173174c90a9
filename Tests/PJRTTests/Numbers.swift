import Foundation
import PJRT
import StableHLO
import TestSupport

/// Float32 numbers with a shape.
struct Numbers {
    let values: [Float]
    let shape: [Int]

    init(_ values: [Float], _ shape: [Int]) { (self.values, self.shape) = (values, shape) }

    /// Numbers around zero that differ from each other and are the same every time.
    init(_ shape: [Int], seed: Int = 1) {
        let count = shape.reduce(1, *)
        self.init((0..<count).map { Float(sin(Double($0 * 7 + seed * 13)) * 1.5) }, shape)
    }
}

/// Runs a program of float32 arguments and results on one device of the CPU plugin.
func run(_ inputs: [Numbers], _ body: (Function, [Value]) -> [Value]) throws -> [[Float]] {
    let main = Function("main")
    let arguments = inputs.map { main.argument($0.shape, .f32) }
    main.return(body(main, arguments))
    let client = try testClient()
    let program = try client.compile(Module("test", [main]).text)
    let buffers = try inputs.map { try Buffer.of($0.values, .float32, shape: $0.shape, on: client.device(0), of: client) }
    return try program.run(buffers).map { try $0.numbers() }
}

/// What numpy makes of the same inputs: `script` reads them as `x[0]`, `x[1]`, … and sets `results`.
func numpy(_ inputs: [Numbers], _ script: String) throws -> [[Float]] {
    let floats = Dictionary(inputs.enumerated().map { ("x\($0)", $1.values) }, uniquingKeysWith: { $1 })
    let reading = inputs.enumerated().map { "f32('x\($0)', *\($1.shape))" }.joined(separator: ", ")
    let result = try pythonJSON(
        "x = [\(reading)]\n\(script)\nprint(json.dumps([np.asarray(r, np.float64).ravel().tolist() for r in results]))",
        floats: floats)
    return (result.arrayValue ?? []).map { ($0.arrayValue ?? []).compactMap { $0.doubleValue.map(Float.init) } }
}

/// The largest difference, relative to the largest of the expected numbers.
func difference(_ values: [Float], _ expected: [Float]) -> Float {
    guard values.count == expected.count, !values.isEmpty else { return .infinity }
    let scale = max(expected.map(abs).max() ?? 0, 1e-6)
    return zip(values, expected).map { abs($0 - $1) / scale }.max() ?? .infinity
}
