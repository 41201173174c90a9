import NN
import Settings
import TensorCore

/// Draws token sequences as `settings` say, with a key–value cache; both guidance branches run as one batch.
public struct Sampler {
    private let model: ARModel
    private let settings: SamplerSettings
    private let guidance: Guidance
    private let decoder: any StepDecoder
    /// Sequences drawn together: enough rows for efficient products, few enough for a cache of bounded size.
    package let group: Int
    /// Sequences that one thread draws together, where each draws its own.
    private let together: Int

    /// Rows that one thread decodes together in bfloat16. Weights that stay in the processor's last cache, which half of it is
    /// for, are read as fast as one block of rows is multiplied by them; then fewer rows leave more of the keys and values in
    /// that cache. Larger weights come from memory, for as many rows as may be.
    private static func rowsTogether(weightBytes: Int) -> Int { weightBytes <= 16 << 20 ? 6 : 64 }

    /// What keys and values of all sequences drawn together may take, where one sequence takes less.
    public static let cacheBytes = 4 << 30

    public init(_ model: ARModel, _ settings: SamplerSettings, cacheBytes: Int = cacheBytes) {
        self.model = model
        self.settings = settings
        guidance = Guidance(settings)
        let (transformer, layout) = (model.transformer, model.config.layout)
        let head = (model.head?.weight ?? model.table).value
        // Only logits of a token's own segment are computed; a segment of one token needs none.
        let segments = (0..<layout.length).map(layout.segment).filter { $0.count > 1 }
        let branches = guidance == .off ? 1 : 2
        let rowBytes: Int
        switch settings.precision {
        case .float32:
            decoder = TransformerDecoder(transformer, table: model.positions, head: head, segments: segments)
            rowBytes = TransformerDecoder.cacheBytes(transformer.shape, capacity: layout.length)
            together = .max
        case .bfloat16:
            let packed = PackedDecoder(transformer, table: model.positions, head: head, segments: segments)
            decoder = packed
            together = Self.rowsTogether(weightBytes: packed.weightBytes) / branches
            rowBytes = PackedDecoder.cacheBytes(transformer.shape, capacity: layout.length)
        }
        group = Self.group(cacheBytes: cacheBytes, sequenceBytes: branches * rowBytes)
    }

    /// Sequences drawn together where each takes `sequenceBytes` of cache, both guidance branches counted.
    public static func group(cacheBytes: Int = cacheBytes, sequenceBytes: Int) -> Int {
        max(1, min(128, cacheBytes / sequenceBytes))
    }

    /// One sequence per label → ids [labels.count, T] in the AR vocabulary.
    ///
    /// Sequence i draws from the stream of its number `first + i`, so it is the same in any batch.
    /// `given`, [labels.count, T], fixes tokens: what is not negative there is taken instead of drawn.
    public func sample(labels: [Int32], seed: Int, first: Int = 0, given: TokenTensor? = nil) -> TokenTensor {
        let length = model.config.layout.length
        require(
            given.map { $0.shape == [labels.count, length] } ?? true,
            "given tokens \(given?.shape ?? []) are not [\(labels.count), \(length)]")
        var ids: [Int32] = []
        ids.reserveCapacity(labels.count * length)
        for lower in stride(from: 0, to: labels.count, by: group) {
            let range = lower..<min(labels.count, lower + group)
            ids += sampleOnThreads(
                labels: Array(labels[range]), seed: seed, first: first + lower,
                given: given.map { Array($0.ids[range.lowerBound * length..<range.upperBound * length]) })
        }
        return TokenTensor(ids, shape: [labels.count, length])
    }

    /// In bfloat16 every thread draws sequences of its own from beginning to end and waits for no other; in float32 the
    /// threads share each product, which OpenBLAS packs the weights for.
    private func sampleOnThreads(labels: [Int32], seed: Int, first: Int, given: [Int32]?) -> [Int32] {
        guard settings.precision == .bfloat16 else {
            return sampleGroup(labels: labels, seed: seed, first: first, given: given)
        }
        let (count, length) = (labels.count, model.config.layout.length)
        // As many for every thread.
        let rounds = (count + together * Parallel.threads - 1) / (together * Parallel.threads)
        let parts = min(count, rounds * Parallel.threads)
        return Parallel.map(parts) { part in
            let range = part * count / parts..<(part + 1) * count / parts
            return sampleGroup(
                labels: Array(labels[range]), seed: seed, first: first + range.lowerBound,
                given: given.map { Array($0[range.lowerBound * length..<range.upperBound * length]) })
        }.flatMap { $0 }
    }

    private func sampleGroup(labels: [Int32], seed: Int, first: Int, given: [Int32]?) -> [Int32] {
        let layout = model.config.layout
        let (count, length) = (labels.count, layout.length)
        let guided = guidance != .off
        let rows = guided ? 2 * count : count
        let session = decoder.session(rows: rows, capacity: length)
        var streams = (0..<count).map { RandomStream(seed: seed, "sampler", step: first + $0) }
        var ids = [Int32](repeating: 0, count: count * length)
        let bosLabels = labels + (guided ? [Int32](repeating: model.unconditionalLabel, count: count) : [])
        var draw = TokenDraw(topK: settings.topK, topP: settings.topP)
        var x = embedding(TokenTensor(bosLabels, shape: [rows, 1]), table: model.bos.value)
        for t in 0..<length {
            let hidden = session.step(x)
            let segment = layout.segment(at: t)
            let scale = guidance.scale(at: t, layout: layout)
            if segment.count > 1 {
                let logits = session.logits(hidden, segment, count: count, mixing: scale)
                draw.temperature =
                    t < layout.prologueTokens
                    ? settings.prologueTemperature ?? settings.temperature : settings.temperature
                // Drawn even where a token is given, so that the streams stay in step.
                let tokens = draw(logits, uniforms: (0..<count).map { Double(streams[$0].uniform()) })
                for i in 0..<count { ids[i * length + t] = Int32(segment.lowerBound + tokens[i]) }
            } else {
                for i in 0..<count { ids[i * length + t] = Int32(segment.lowerBound) }
            }
            if let given {
                for i in 0..<count where given[i * length + t] >= 0 { ids[i * length + t] = given[i * length + t] }
            }
            guard t + 1 < length else { break }
            let next = (0..<count).map { ids[$0 * length + t] }
            x = embedding(TokenTensor(next, shape: [count, 1]), table: model.table.value)
        }
        return ids
    }
}
