import Files
import Foundation
import TensorCore

/// Parameters in safetensors files, under their released names with an optional prefix; convolution weights as PyTorch
/// has them, [out, in, height, width].
public enum ParameterFiles {
    /// Fills `parameters` from `file`; every one must be there with its shape.
    public static func load(_ parameters: [Parameter], from file: SafetensorsFile, prefix: String = "") throws {
        for parameter in parameters {
            let name = prefix + parameter.name
            let (shape, expected) = (try file.shape(name), ConvolutionLayout.shapeInFile(parameter.shape))
            guard shape == expected else {
                throw InputError(file: file.url.path, "'\(name)' has shape \(shape), the model needs \(expected)")
            }
            if shape.count == 4 {
                let value = ConvolutionLayout.inMemory(Tensor(try file.streamedFloats(name), shape: shape))
                parameter.value.overwrite(with: value.values)
            } else {
                try parameter.value.overwrite { try file.read(name, into: &$0) }
            }
        }
    }

    /// Writes `groups` of parameters, each name with its group's prefix, as float32.
    public static func save(_ groups: [(prefix: String, parameters: [Parameter])], to url: URL) throws {
        let tensors = groups.flatMap { group in group.parameters.map { (name: group.prefix + $0.name, value: $0.value) } }
        let shapes = tensors.map { ($0.name, ConvolutionLayout.shapeInFile($0.value.shape)) }
        try SafetensorsFile.write(float32: shapes, to: url) {
            let value = tensors[$0].value
            return value.shape.count == 4 ? ConvolutionLayout.inFile(value).values : value.values
        }
    }
}

extension SafetensorsFile {
    /// A weight of a network that others have trained, as the file has it.
    ///
    /// - Parameter network: what it is called in the error where the shape is another one.
    func weight(_ name: String, _ shape: Shape, of network: String) throws -> Tensor {
        let found = try self.shape(name)
        guard found == shape else { throw InputError(file: url.path, "'\(name)' has shape \(found); \(network) has \(shape)") }
        return Tensor(try floats(name), shape: shape)
    }
}
