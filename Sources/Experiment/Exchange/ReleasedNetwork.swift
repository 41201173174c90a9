import Files
import Foundation
import TensorCore

/// One network in a released file: its tensors under the names that our parameters have.
struct ReleasedNetwork {
    let file: SafetensorsFile
    /// Names in the file, by parameter name.
    let names: [String: String]

    /// - Parameter prefix: takes the names that begin with it, and drops it: `encoder.` in files of several networks.
    /// - Throws: `InputError` where two names mean the same parameter.
    init(_ file: SafetensorsFile, prefix: String = "") throws {
        var names: [String: String] = [:]
        for name in file.names where !Self.isBuffer(name) {
            let bare = Self.bare(name)
            guard bare.hasPrefix(prefix) else { continue }
            if let other = names.updateValue(name, forKey: String(bare.dropFirst(prefix.count))) {
                throw InputError(file: file.url.path, "'\(other)' and '\(name)' are the same parameter")
            }
        }
        self.file = file
        self.names = names
    }

    /// The name without what compiling and distributing a model put in it: `_orig_mod` anywhere, `module` in front.
    private static func bare(_ name: String) -> String {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false).filter { $0 != "_orig_mod" }
        while parts.first == "module" { parts.removeFirst() }
        return parts.joined(separator: ".")
    }

    /// Masks and constant labels, which some checkpoints carry along.
    private static func isBuffer(_ name: String) -> Bool { name.contains("mask") || name.hasSuffix("uncond_ar_labels") }

    func contains(_ name: String) -> Bool { names[name] != nil }

    /// Shape of a tensor that sizes are read off.
    func shape(_ name: String, rank: Int) throws -> [Int] {
        guard let key = names[name] else {
            let hint = nearest(to: name, among: names.keys).map { "; the nearest name is '\($0)'" } ?? ""
            throw InputError(file: file.url.path, "no tensor '\(name)', which sizes are read off\(hint)")
        }
        let shape = try file.shape(key)
        guard shape.count == rank, shape.allSatisfy({ $0 > 0 }) else {
            throw InputError(file: file.url.path, "'\(key)' has shape \(shape), expected \(rank) axes")
        }
        return shape
    }

    /// How many layers `prefix.layers.N` there are. Numbers are counted, not believed: a name may say anything.
    func layers(_ prefix: String) -> Int {
        let start = "\(prefix).layers."
        return Set(names.keys.compactMap { $0.hasPrefix(start) ? $0.dropFirst(start.count).prefix { $0 != "." } : nil }).count
    }

    /// Requires that the tensors are exactly these parameters, in a type that is read without loss or is a usual half
    /// precision.
    func require(_ parameters: [Parameter]) throws {
        let wanted = Set(parameters.map(\.name))
        try complain("lacks", parameters.map(\.name).filter { names[$0] == nil }, "; is it a part of the file only?")
        try complain(
            "has", names.keys.filter { !wanted.contains($0) }.sorted().map { names[$0] ?? $0 },
            ", which a model of these sizes does not have")
        for parameter in parameters {
            let name = names[parameter.name] ?? parameter.name
            let shape = try file.shape(name)
            guard shape == parameter.shape else {
                throw InputError(
                    file: file.url.path,
                    "'\(name)' has shape \(shape); the other tensors ask for \(parameter.shape)")
            }
            let type = try file.dtype(name)
            guard [.float32, .bfloat16, .float16].contains(type) else {
                throw InputError(
                    file: file.url.path, "'\(name)' is \(type.rawValue); weights must be F32, or BF16 or F16, which are converted")
            }
        }
    }

    private func complain(_ verb: String, _ names: [String], _ why: String) throws {
        guard !names.isEmpty else { return }
        let shown = names.prefix(3).map { "'\($0)'" }.joined(separator: ", ") + (names.count > 3 ? ", …" : "")
        let what = names.count == 1 ? "tensor" : "\(names.count) tensors:"
        throw InputError(file: file.url.path, "\(verb) \(what) \(shown)\(why)")
    }
}
