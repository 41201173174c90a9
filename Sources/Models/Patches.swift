import TensorCore

/// Images and the patches that tokenizers read: raster order; inside a patch row, column, channel (method §3.1).
public enum Patches {
    /// Images of planes (B, C, H, W), values as they are → [B, N, p·p·C].
    public static func fromPlanes(_ images: [Float], batch: Int, _ config: TokenizerConfig) -> Tensor {
        let patches = Tensor(uninitialized: [batch, config.visualTokens, config.patchWidth])
        require(images.count == patches.count, "\(images.count) values are not \(patches.shape)")
        forEachPixel(batch, config) { plane, patch in patches.pointer[patch] = images[plane] }
        return patches
    }

    /// [B, N, p·p·C] → planes (B, C, H, W).
    public static func planes(_ patches: Tensor, _ config: TokenizerConfig) -> [Float] {
        var images = [Float](repeating: 0, count: patches.count)
        forEachPixel(patches.shape[0], config) { plane, patch in images[plane] = patches.pointer[patch] }
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
