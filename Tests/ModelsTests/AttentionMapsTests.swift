import Files
import Foundation
import Models
import TensorCore
import TestSupport
import Testing

/// Attention maps of an AR model, beside those of the PyTorch twin with the same weights.
@Suite struct AttentionMapsTests {
    private static let twin = """
        import json, math, sys
        root, pack = sys.argv[1:]
        sys.path.insert(0, root + '/Tests/reference')
        import torch, networks
        from twin import Twin, load_pack, sizes_of
        document, tensors = load_pack(pack)
        twin = Twin(sizes_of(document, tensors)).load(tensors)
        prior = twin.ar
        maps, original = [], networks.F.scaled_dot_product_attention
        def watched(q, k, v, is_causal=False):
            scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
            if is_causal: scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -math.inf)
            maps.append(scores.softmax(-1).mean(0))
            return original(q, k, v, is_causal=is_causal)
        networks.F.scaled_dot_product_attention = watched
        targets = torch.tensor(TARGETS)
        with torch.no_grad(): prior(targets, torch.tensor([0, 3, 7]))
        print(json.dumps(torch.stack(maps).flatten().tolist()))
        """

    @Test func agreeWithTheTwin() throws {
        let pack = packageRoot.appendingPathComponent("Tests/Fixtures/prologue.safetensors")
        let layout = SequenceLayout(prologueTokens: 3, visualTokens: 9, visualCodes: 37, prologueCodes: 19)
        var config = ARConfig(
            layout: layout, network: .init(width: 32, layers: 2, heads: 2, axes: [6, 6, 4]), labels: 8)
        let file = try SafetensorsFile(reading: pack)
        config.conditionWidth = try file.floats("ar.ar_model.cond_proj.1.weight").count
        let model = ARModel(config, stream: RandomStream(seed: 0, "model"))
        try ParameterFiles.load(model.parameters, from: file, prefix: "ar.")

        var stream = RandomStream(seed: 5, "tokens")
        let ids = (0..<3).flatMap { _ in
            (0..<layout.length).map { t in
                let segment = layout.segment(at: t)
                return Int32(segment.lowerBound + stream.integer(below: segment.count))
            }
        }
        let maps = model.attentionMaps(
            ARInput(
                targets: TokenTensor(ids, shape: [3, layout.length]), labels: TokenTensor([0, 3, 7], shape: [3])))
        let rows = stride(from: 0, to: ids.count, by: layout.length).map { ids[$0..<$0 + layout.length] }
        let spelt = "[" + rows.map { "[" + $0.map(String.init).joined(separator: ",") + "]" }.joined(separator: ",") + "]"
        let script = Self.twin.replacing("TARGETS", with: spelt)
        let expected = try JSONValue(parsing: Data(python(script, packageRoot.path, pack.path).utf8)).arrayValue?
            .compactMap(\.doubleValue)
        let wanted = try #require(expected)
        #expect(maps.shape == [2, 2, layout.length, layout.length] && wanted.count == maps.count)
        for (found, value) in zip(maps.values, wanted) { #expect(abs(Double(found) - value) < 1e-5) }
    }
}
