/// How an image is cut into patches: raster order of patches; inside a patch row, column, channel (method §3.1).
public struct PatchLayout: Sendable, Equatable {
    public let height: Int
    public let width: Int
    public let channels: Int
    /// Side of a patch in pixels; divides height and width.
    public let patch: Int

    public init(height: Int, width: Int, channels: Int, patch: Int) {
        precondition(
            patch > 0 && height % patch == 0 && width % patch == 0,
            "images of \(height)×\(width) do not divide into patches of \(patch)×\(patch)")
        (self.height, self.width, self.channels, self.patch) = (height, width, channels, patch)
    }

    /// Patches in an image: (H/p)(W/p).
    public var patchCount: Int { (height / patch) * (width / patch) }
    /// Values in a patch: p·p·C.
    public var patchLength: Int { patch * patch * channels }
    var valuesPerImage: Int { height * width * channels }

    /// Calls `body(value, pixel)` for each run of p·C values that lie together both in the patches and in the image.
    @inline(__always)
    func forEachRun(_ body: (_ value: Int, _ pixel: Int) -> Void) {
        var value = 0
        for top in stride(from: 0, to: height, by: patch) {
            for left in stride(from: 0, to: width, by: patch) {
                for row in top..<top + patch {
                    body(value, (row * width + left) * channels)
                    value += patch * channels
                }
            }
        }
    }

    /// Patches (n, (H/p)(W/p), p·p·C) of values around [−1, 1] as pixels (n, row, column, channel):
    /// trunc(clamp(127.5x + 128, 0, 255)) (method §5.4). Not-a-number becomes 0.
    public func images(fromPatches patches: UnsafeBufferPointer<Float>) -> [UInt8] {
        precondition(
            patches.count % valuesPerImage == 0,
            "\(patches.count) patch values are no whole number of \(height)×\(width)×\(channels) images")
        return [UInt8](unsafeUninitializedCapacity: patches.count) { pixels, written in
            for image in stride(from: 0, to: patches.count, by: valuesPerImage) {
                forEachRun { value, pixel in
                    for j in 0..<patch * channels {
                        let level = 127.5 * patches[image + value + j] + 128
                        pixels[image + pixel + j] = level > 0 ? (level < 255 ? UInt8(level) : 255) : 0
                    }
                }
            }
            written = patches.count
        }
    }

    public func images(fromPatches patches: [Float]) -> [UInt8] {
        patches.withUnsafeBufferPointer { images(fromPatches: $0) }
    }

    /// Writes pixels (n, row, column, channel) as patches (n, (H/p)(W/p), p·p·C) of x/127.5 − 1 (method §3.1).
    public func patches(ofImages images: [UInt8], into values: inout MutableSpan<Float>) {
        precondition(
            values.count == images.count && images.count % valuesPerImage == 0,
            "\(images.count) pixels of \(height)×\(width)×\(channels) images are to go into \(values.count) patch values")
        values.withUnsafeMutableBufferPointer { values in
            images.withUnsafeBufferPointer { images in
                Self.scaled.withUnsafeBufferPointer { scaled in
                    for image in stride(from: 0, to: images.count, by: valuesPerImage) {
                        forEachRun { value, pixel in
                            for j in 0..<patch * channels {
                                values[image + value + j] = scaled[Int(images[image + pixel + j])]
                            }
                        }
                    }
                }
            }
        }
    }

    /// x/127.5 − 1 for x = 0…255, each step rounded to float32.
    private static let scaled = (0...255).map { Float($0) / 127.5 - 1 }
}

extension ImageSet {
    public func layout(patch: Int) -> PatchLayout {
        PatchLayout(height: height, width: width, channels: channels, patch: patch)
    }
}
