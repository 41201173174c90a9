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
            let saved = Tensor(try file.floats(name), shape: shape)
            let value = shape.count == 4 ? ConvolutionLayout.inMemory(saved) : saved
            parameter.value.pointer.update(from: value.pointer, count: value.count)
        }
    }

    /// Writes `groups` of parameters, each name with its group's prefix, as float32.
    public static func save(_ groups: [(prefix: String, parameters: [Parameter])], to url: URL) throws {
        let tensors = groups.flatMap { group in
            group.parameters.map { parameter in
                let value = parameter.shape.count == 4 ? ConvolutionLayout.inFile(parameter.value) : parameter.value
                return (group.prefix + parameter.name, value.shape, TensorValues.float32(value.values))
            }
        }
        try SafetensorsFile.write(tensors, to: url)
    }
}
