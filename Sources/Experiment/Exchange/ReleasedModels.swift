import Files
import Foundation
import Settings

/// The networks of one released folder, or of one file of several networks under prefixes such as this program writes.
struct ReleasedModels {
    enum Kind: String { case tokenizer, prior }

    /// Which weights are used: averaged ones, or those that the optimiser left.
    enum Weights: String { case ema, raw }

    /// What trained a tokenizer and is no part of it.
    private static let discriminator = "discriminator."

    let kind: Kind
    let url: URL
    let weights: Weights
    /// `encoder.`, `decoder.`, `ar.` with the two sets of weights, where they are there.
    let networks: [(prefix: String, raw: ReleasedNetwork?, averaged: ReleasedNetwork?)]
    /// Files that were left out, and why.
    let notes: [String]
    /// The published model that the folder is called like.
    var released: ReleasedName? { ReleasedName(folder: url.lastPathComponent) }

    /// - Throws: `InputError` where there is no such folder, or a file that is needed is missing or damaged.
    init(reading url: URL, weights: Weights) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw InputError(file: url.path, "no such folder")
        }
        (self.url, self.weights) = (url, weights)
        if !isFolder.boolValue {
            let file = try SafetensorsFile(reading: url)
            networks = try ["encoder.", "decoder.", "ar."].compactMap { prefix in
                let network = try ReleasedNetwork(file, prefix: prefix)
                if network.names.isEmpty { return nil }
                return (prefix, weights == .raw ? network : nil, weights == .ema ? network : nil)
            }
            kind = networks.first?.prefix == "ar." ? .prior : .tokenizer
            notes = []
            guard !networks.isEmpty else {
                throw InputError(
                    file: url.path,
                    "has no tensors named 'encoder.…', 'decoder.…' or 'ar.…'; files without these prefixes are "
                        + "told apart by their names in a folder: give the folder")
            }
            return
        }
        func network(_ name: String) throws -> ReleasedNetwork? {
            let file = url.appendingPathComponent(name)
            return FileManager.default.fileExists(atPath: file.path) ? try ReleasedNetwork(SafetensorsFile(reading: file)) : nil
        }
        guard let first = try network("model.safetensors") ?? network("model_1.safetensors") ?? network("model_2.safetensors") else {
            let folders = ["tokenizer", "prior"].filter {
                FileManager.default.fileExists(atPath: url.appendingPathComponent($0).path)
            }
            throw InputError(
                file: url.path,
                "holds no model.safetensors, model_1.safetensors or model_2.safetensors"
                    + (folders.isEmpty ? "" : "; there is \(folders.joined(separator: " and ")) in it"))
        }
        let kind: Kind = first.contains("bos_emb.weight") ? .prior : .tokenizer
        let parts = kind == .prior ? ReleasedCheckpoint.prior : ReleasedCheckpoint.tokenizer
        var prefixes: [String] = []
        for part in parts where part.prefix != Self.discriminator && !prefixes.contains(part.prefix) { prefixes.append(part.prefix) }
        networks = try prefixes.map { prefix in
            func part(_ isAveraged: Bool) throws -> ReleasedNetwork? {
                try parts.first { $0.prefix == prefix && $0.isAveraged == isAveraged }.flatMap { try network($0.file) }
            }
            return (prefix, try part(false), try part(true))
        }
        self.kind = kind
        let known = Set(parts.filter { $0.prefix != Self.discriminator }.map(\.file))
        let files = try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
        notes = files.filter { $0.hasSuffix(".safetensors") && !known.contains($0) }.map {
            $0 == "model_4.safetensors" && kind == .tokenizer
                ? "\($0) (GAN discriminator) is left out" : "\($0) is left out: it has no place in a \(kind.rawValue) folder"
        }
        for network in networks where network.prefix != "ar." || kind == .prior { _ = try chosen(network.prefix) }
    }

    /// The weights of a network that are used; nil where the checkpoint has none of it, which only a joint AR model may.
    func network(_ prefix: String) -> ReleasedNetwork? {
        networks.first { $0.prefix == prefix }.flatMap { weights == .raw ? $0.raw : $0.averaged }
    }

    /// The same for a network that must be there.
    func chosen(_ prefix: String) throws -> ReleasedNetwork {
        if let network = network(prefix) { return network }
        let parts = kind == .prior ? ReleasedCheckpoint.prior : ReleasedCheckpoint.tokenizer
        let file = parts.first { $0.prefix == prefix && $0.isAveraged == (weights == .ema) }?.file ?? url.lastPathComponent
        let other = networks.first { $0.prefix == prefix }.flatMap { weights == .raw ? $0.averaged : $0.raw }
        throw InputError(
            file: url.path,
            "\(file) (\(prefix.dropLast()), \(weights == .ema ? "averaged" : "raw") weights) is missing"
                + (other == nil ? "" : "; --weights \(weights == .ema ? "raw" : "ema") takes the others"))
    }

    /// Every network there is, chosen or not.
    var all: [ReleasedNetwork] { networks.flatMap { [$0.raw, $0.averaged].compactMap { $0 } } }

    /// What `prologue export` noted in the files about what tensors do not tell, held to the bounds that a sweep file is held
    /// to; nil in files of other origin.
    func noted() throws -> JSONValue? {
        let key = ReleasedCheckpoint.metadataKey
        guard let file = all.lazy.map(\.file).first(where: { $0.metadata[key] != nil }), let text = file.metadata[key] else {
            return nil
        }
        do {
            let noted = try JSONValue(parsing: Data(text.utf8))
            guard noted.objectValue != nil else { throw InputError("is \(noted.canonical), no group of settings") }
            for section in ["tokenizer", "prior"] {
                if let values = noted[section] { try SettingsBounds.check(values, at: section) }
            }
            if let size = noted["image_size"] { try SettingsBounds.check(["image_size": size], at: "data") }
            return noted
        } catch let error as InputError {
            throw InputError(file: file.url.path, "metadata '\(key)': \(error.message)")
        } catch {
            throw InputError(file: file.url.path, "metadata '\(key)' is no JSON")
        }
    }

    /// SHA-256 of each file that is read, by name.
    func digests() throws -> JSONValue {
        var digests: [String: JSONValue] = [:]
        for network in all {
            let file = network.file.url
            if digests[file.lastPathComponent] == nil { digests[file.lastPathComponent] = .string(try sha256(file: file)) }
        }
        return .object(digests)
    }

    /// Writes the weights as stages keep them, one tensor in memory at a time.
    func store(in folder: (String) -> URL) throws {
        for (name, isAveraged) in [(WeightFile.trained, false), (WeightFile.averaged, true)] {
            var tensors: [(name: String, shape: [Int])] = []
            var sources: [(file: SafetensorsFile, name: String)] = []
            for entry in networks {
                guard let network = isAveraged ? entry.averaged : entry.raw else { continue }
                for (parameter, key) in network.names.sorted(by: { $0.key < $1.key }) {
                    tensors.append((entry.prefix + parameter, try network.file.shape(key)))
                    sources.append((network.file, key))
                }
            }
            if tensors.isEmpty { continue }
            try SafetensorsFile.write(float32: tensors, to: folder(name)) {
                let (file, name) = sources[$0]
                let values = try file.streamedFloats(name)
                try requireFiniteWeights(values, shape: file.shape(name), name: name, file: file.url.path)
                return values
            }
        }
    }
}
