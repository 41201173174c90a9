import Accelerators
import Files
import Foundation
import Models
import TestSupport
import Testing
import Verification

/// Fixtures that the project's own PyTorch twin wrote, and the published reference packs where they are at hand.
private enum Packs {
    static let root = packageRoot
    static let names = ["1d", "2d", "metrics", "prologue", "prologue_post", "prologue_tied"]

    static var fixtures: [URL] {
        names.map { root.appendingPathComponent("Tests/Fixtures/\($0).safetensors") }
    }

    /// `../shared/reference`, or `reference` under `PROLOGUE_SHARED`; empty where there is none.
    static var published: [URL] {
        let shared =
            ProcessInfo.processInfo.environment["PROLOGUE_SHARED"].map { URL(fileURLWithPath: $0) }
            ?? root.deletingLastPathComponent().appendingPathComponent("shared")
        return names.map { shared.appendingPathComponent("reference/\($0).safetensors") }
            .filter { FileManager.default.fileExists(atPath: $0.path) }
    }
}

@Suite struct PackTests {
    @Test(arguments: Packs.fixtures)
    func everyKeyOfAFixtureAgrees(_ url: URL) throws {
        let checks = try PackVerifier.verify(url)
        let failed = checks.filter { !$0.passed }.map { "\($0.key): \($0.detail)" }
        #expect(failed.isEmpty)
        let file = try SafetensorsFile(reading: url)
        let results = file.names.filter { name in ["io.", "grad.", "sample.", "train."].contains(where: name.hasPrefix) }
        #expect(checks.count >= max(8, results.count - 3), "only \(checks.count) of \(results.count) keys were compared")
    }

    @Test(.enabled(if: !Packs.published.isEmpty), arguments: Packs.published)
    func everyKeyOfAPublishedPackAgrees(_ url: URL) throws {
        let failed = try PackVerifier.verify(url).filter { !$0.passed }.map { "\($0.key): \($0.detail)" }
        #expect(failed.isEmpty)
    }

    /// The same on a device: values, gradients, greedy samples token by token, and the short training.
    @Test(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"), arguments: ["2d", "prologue"])
    func everyKeyOfAFixtureAgreesOnADevice(_ name: String) throws {
        let url = Packs.root.appendingPathComponent("Tests/Fixtures/\(name).safetensors")
        let onDevice = try PackVerifier.verify(url, on: .device(Accelerator(testClient(devices: 1))))
        #expect(onDevice.filter { !$0.passed }.map { "\($0.key): \($0.detail)" } == [])
        #expect(try onDevice.map(\.key).sorted() == PackVerifier.verify(url).map(\.key).sorted())
    }

    /// A pack whose value was changed must fail at that key and at no other.
    @Test(arguments: ["io.recon_patches", "grad.ar.bos_emb.weight", "train.losses", "sample.nocfg.tokens", "io.indices"])
    func aChangedValueFails(_ key: String) throws {
        try withCopy(of: "prologue", changing: key) { url in
            let failed = try PackVerifier.verify(url).filter { !$0.passed }.map(\.key)
            #expect(failed == [key])
        }
    }

    /// A changed parameter must be noticed by values, gradients and training alike.
    @Test func aChangedParameterFails() throws {
        try withCopy(of: "2d", changing: "decoder.dec.out.weight") { url in
            let failed = try PackVerifier.verify(url).filter { !$0.passed }.map(\.key)
            #expect(failed.contains("io.recon_patches"))
            #expect(failed.contains { $0.hasPrefix("grad.encoder.") })
            #expect(failed.contains("train.losses"))
        }
    }

    @Test func anUnknownTokenizerIsNamed() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let pack = folder.appendingPathComponent("x.safetensors")
        try FileManager.default.copyItem(at: Packs.fixtures[1], to: pack)
        let json = try String(
            contentsOf: Packs.root.appendingPathComponent("Tests/Fixtures/2d.json"), encoding: .utf8)
        try json.replacingOccurrences(of: "\"2d\"", with: "\"2e\"").write(
            to: folder.appendingPathComponent("x.json"), atomically: true, encoding: .utf8)
        #expect { try PackVerifier.verify(pack) } throws: { error in
            "\(error)".contains("'2e' is none of") && "\(error)".contains("x.json")
        }
        try FileManager.default.removeItem(at: folder.appendingPathComponent("x.json"))
        #expect { try PackVerifier.verify(pack) } throws: { "\($0)".contains("x.json") }
    }

    /// Parameters written and read again are the same, under the reference's names.
    @Test func parametersRoundTrip() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let config = TokenizerConfig(
            visual: .grid, prologue: .shared, imageSize: 8, channels: 1, patch: 4,
            encoder: .init(width: 12, layers: 1, heads: 2, axes: [2, 2, 2]),
            decoder: .init(width: 12, layers: 1, heads: 2, axes: [2, 2, 2]), codeWidth: 4, codebook: 8,
            prologueTokens: 2, prologueCodebook: 4, labels: 3)
        let (first, second) = (Tokenizer(config, seed: 1), Tokenizer(config, seed: 2))
        let url = folder.appendingPathComponent("model.safetensors")
        try ParameterFiles.save([("encoder.", first.encoder.parameters)], to: url)
        let file = try SafetensorsFile(reading: url)
        try ParameterFiles.load(second.encoder.parameters, from: file, prefix: "encoder.")
        for (a, b) in zip(first.encoder.parameters, second.encoder.parameters) {
            #expect(a.value.values == b.value.values, "\(a.name) changed")
        }
        #expect(file.contains("encoder.enc.layers.0.attn1.to_kv.weight"))
        #expect(throws: InputError.self) { try ParameterFiles.load(second.decoder.parameters, from: file) }
    }

    // MARK: Helpers

    private func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Copies a fixture with the largest entry of `key` changed by a hundredth, or an id by one.
    private func withCopy(of name: String, changing key: String, _ body: (URL) throws -> Void) throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let source = Packs.root.appendingPathComponent("Tests/Fixtures/\(name).safetensors")
        let file = try SafetensorsFile(reading: source)
        let tensors = try file.names.map { name in
            let shape = try file.shape(name)
            let values: TensorValues
            if ["io.indices", "io.images_uint8", "io.labels", "io.visual_dropped", "io.ar_targets", "train.indices"]
                .contains(name) || name.hasSuffix(".tokens")
            {
                var ids = try file.ints(name).map(Int64.init)
                if name == key { ids[0] += 1 }
                values = .int64(ids)
            } else {
                var floats = try file.doubles(name)
                if name == key, let top = floats.indices.max(by: { abs(floats[$0]) < abs(floats[$1]) }) {
                    floats[top] *= 1.01
                }
                values = name == "train.losses" ? .float64(floats) : .float32(floats.map(Float.init))
            }
            return (name: name, shape: shape, values: values)
        }
        let copy = folder.appendingPathComponent("\(name).safetensors")
        try SafetensorsFile.write(tensors, to: copy)
        try FileManager.default.copyItem(
            at: source.deletingPathExtension().appendingPathExtension("json"),
            to: folder.appendingPathComponent("\(name).json"))
        try body(copy)
    }
}
