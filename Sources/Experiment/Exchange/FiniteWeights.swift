import Files
import Models
import TensorCore

/// Throws `InputError` naming the first place where a weight is not finite: a model with such weights computes nothing, and
/// draws the same token everywhere without an error.
func requireFiniteWeights(_ values: some Collection<Float>, shape: [Int], name: String, file: String) throws {
    guard let place = values.enumerated().first(where: { !$1.isFinite }) else { return }
    // Row-major.
    var (rest, index) = (place.offset, [Int]())
    for extent in shape.reversed() {
        index.insert(rest % max(1, extent), at: 0)
        rest /= max(1, extent)
    }
    throw InputError(file: file, "tensor '\(name)' is \(place.element) at \(index); weights must be finite numbers")
}

extension ParameterFiles {
    /// Loads what samples are drawn with, all of it finite.
    static func loadFinite(_ parameters: [Parameter], from file: SafetensorsFile, prefix: String) throws {
        try load(parameters, from: file, prefix: prefix)
        for parameter in parameters {
            let values = parameter.value.values
            // One sum is faster than a test of each.
            if values.reduce(0, { $0 + $1 * 0 }) == 0 { continue }
            try requireFiniteWeights(
                file.streamedFloats(prefix + parameter.name), shape: file.shape(prefix + parameter.name),
                name: prefix + parameter.name, file: file.url.path)
        }
    }
}
