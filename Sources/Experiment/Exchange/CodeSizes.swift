import Files
import Settings

/// Codes of a quantizer as its tensors tell them. Learned codes are a tensor, `embedding.weight`; of others there is only the
/// projection to their channels, and what is made of those must be noted.
struct CodeSizes {
    let quantizer: TokenizerSettings.Quantizer
    let codes: Int
    /// Channels of a code.
    let width: Int

    /// Codes that are worth writing down one by one.
    private static let most = 1 << 24

    /// - Parameters:
    ///   - name: `quantizer` or `semantic_quantizer`.
    ///   - noted: what the export noted; nil in files of other origin.
    ///   - levels: noted levels of `fsq`.
    ///   - foreign: what learned codes of other origin are chosen by.
    init(
        _ encoder: ReleasedNetwork, _ name: String, noted: TokenizerSettings.Quantizer?, levels: [Int],
        foreign: TokenizerSettings.Quantizer = .vq
    ) throws {
        let (embedding, projection) = ("\(name).embedding.weight", "\(name).proj_in.weight")
        let channels = try encoder.shape(projection, rank: 2)[0]
        if encoder.contains(embedding) {
            let shape = try encoder.shape(embedding, rank: 2)
            (codes, width) = (shape[0], shape[1])
            quantizer = noted ?? foreign
            guard quantizer.isLearned else {
                throw InputError(
                    file: encoder.file.url.path, "has learned codes, '\(embedding)', but notes that they are those of \(quantizer.rawValue)"
                )
            }
            return
        }
        let path = encoder.file.url.path
        switch noted {
        case .lfq:
            guard channels < Self.most.trailingZeroBitCount else {
                throw InputError(file: path, "'\(projection)' has \(channels) channels, lfq at most \(Self.most.trailingZeroBitCount - 1)")
            }
            (quantizer, codes) = (.lfq, 1 << channels)
        case .fsq:
            let product = levels.reduce(1) { $0 > Self.most || $1 > Self.most ? Self.most + 1 : $0 * $1 }
            guard levels.count == channels, levels.allSatisfy({ $0 >= 3 }), product <= Self.most else {
                throw InputError(
                    file: path, "'\(projection)' has \(channels) channels, for which the noted fsq levels \(levels) do not stand")
            }
            (quantizer, codes) = (.fsq, product)
        case .vq, .probq, .gumbel, nil:
            throw InputError(
                file: path,
                "has no '\(embedding)', so its codes are not learned but those of lfq or fsq, and nothing in the file "
                    + "says which: 'prologue export' notes it in the metadata, under '\(ReleasedCheckpoint.metadataKey)'")
        }
        width = channels
    }
}
