import Models
import TensorCore

/// Images and the patches that tokenizers read: raster order; inside a patch row, column, channel (method §3.1).
enum Patches {
    /// Images of planes (B, C, H, W), values as they are → [B, N, p·p·C].
    static func fromPlanes(_ images: [Float], batch: Int, _ config: TokenizerConfig) -> Tensor {
        var patches = [Float](repeating: 0, count: images.count)
        forEachPixel(batch, config) { plane, patch in patches[patch] = images[plane] }
        return Tensor(patches, shape: [batch, config.visualTokens, config.patchWidth])
    }

    /// [B, N, p·p·C] → planes (B, C, H, W).
    static func planes(_ patches: Tensor, _ config: TokenizerConfig) -> [Float] {
        var images = [Float](repeating: 0, count: patches.count)
        let values = patches.values
        forEachPixel(patches.shape[0], config) { plane, patch in images[plane] = values[patch] }
        return images
    }

    private static func forEachPixel(
        _ batch: Int, _ config: TokenizerConfig, _ body: (_ planeIndex: Int, _ patchIndex: Int) -> Void
    ) {
        let (size, p, channels) = (config.imageSize, config.patch, config.channels)
        var patchIndex = 0
        for b in 0..<batch {
            for row in 0..<config.grid {
                for column in 0..<config.grid {
                    for y in 0..<p {
                        for x in 0..<p {
                            for channel in 0..<channels {
                                body(
                                    ((b * channels + channel) * size + row * p + y) * size + column * p + x,
                                    patchIndex)
                                patchIndex += 1
                            }
                        }
                    }
                }
            }
        }
    }
}
