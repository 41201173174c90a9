import Files
import Foundation
import TensorCore

/// Parameters in safetensors files, under their released names with an optional prefix.
public enum ParameterFiles {
    /// Fills `parameters` from `file`; every one must be there with its shape.
    public static func load(_ parameters: [Parameter], from file: SafetensorsFile, prefix: String = "") throws {
        for parameter in parameters {
            let name = prefix + parameter.name
            let shape = try file.shape(name)
            guard shape == parameter.shape else {
                throw InputError(
                    file: file.url.path, "'\(name)' has shape \(shape), the model needs \(parameter.shape)")
            }
            try file.read(name, into: UnsafeMutableBufferPointer(start: parameter.value.pointer, count: parameter.count))
        }
    }

    /// Writes `groups` of parameters, each name with its group's prefix, as float32.
    public static func save(_ groups: [(prefix: String, parameters: [Parameter])], to url: URL) throws {
        let tensors = groups.flatMap { group in group.parameters.map { (name: group.prefix + $0.name, parameter: $0) } }
        try SafetensorsFile.write(float32: tensors.map { ($0.name, $0.parameter.shape) }, to: url) {
            tensors[$0].parameter.value.values
        }
    }
}
