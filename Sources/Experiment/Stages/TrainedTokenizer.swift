import Accelerators
import ImageData
import Models
import TensorCore

/// A tokenizer with trained weights at work: images to tokens and back, on this program's own kernels or on a device.
struct TrainedTokenizer {
    /// Images encoded or decoded at a time; results do not depend on it beyond rounding.
    static let batch = 250

    let model: Tokenizer
    private let device: DeviceCoding?
    /// What records say of the device; nil: this program's own kernels.
    let deviceName: String?

    init(_ model: Tokenizer, on accelerator: Accelerator? = nil) throws {
        (self.model, deviceName) = (model, accelerator?.description)
        device = try accelerator.map { try DeviceCoding($0, model, batch: Self.batch) }
    }

    /// Indices [n, K + N] of all images of a set, as `view` shows them.
    func encode(_ set: ImageSet, of dataset: Dataset, view: PictureView = PictureView()) throws -> TokenTensor {
        var ids: [Int32] = []
        try encode(set, of: dataset, view: view) { ids += $0 }
        return TokenTensor(ids, shape: [set.count, ids.count / max(1, set.count)])
    }

    /// Hands over the indices of one batch of images after the other.
    ///
    /// - Parameter first: where to begin, at the beginning of a batch or the end of the set.
    func encode(
        _ set: ImageSet, of dataset: Dataset, view: PictureView, from first: Int = 0, _ body: ([Int32]) throws -> Void
    ) throws {
        try dataset.forEachBatch(set, of: Self.batch, from: first, view: view) { batch in
            try body(encode(batch.pixels, of: dataset).ids)
            try Interruption.check()
        }
    }

    /// Images after encoding and decoding, at most `batch` of them; both are pixels (n, row, column, channel).
    func reconstruct(_ pixels: [UInt8], of dataset: Dataset) throws -> [UInt8] {
        try decode(model.config.layout.visualHalf(of: encode(pixels, of: dataset)))
    }

    /// Pixels (n, row, column, channel) of visual indices [n, N].
    func decode(_ visual: TokenTensor) throws -> [UInt8] {
        let (count, n, config) = (visual.shape[0], visual.shape[1], model.config)
        let layout = PatchLayout(
            height: config.imageSize, width: config.imageSize, channels: config.channels, patch: config.patch)
        var pixels: [UInt8] = []
        for lower in stride(from: 0, to: count, by: Self.batch) {
            let upper = min(count, lower + Self.batch)
            let ids = TokenTensor(Array(visual.ids[lower * n..<upper * n]), shape: [upper - lower, n])
            let patches = try device?.decode(ids) ?? model.decoder(model.encoder.visualCodes(ids))
            pixels += layout.images(fromPatches: patches.values)
        }
        return pixels
    }

    /// Indices [n, K + N] of at most `batch` images, (n, row, column, channel).
    func encode(_ pixels: [UInt8], of dataset: Dataset) throws -> TokenTensor {
        let patches = dataset.patches(pixels, patch: model.config.patch)
        return try device?.encode(patches) ?? model.encoder(patches).indices
    }
}
