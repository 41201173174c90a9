import Files

/// A picture of 8-bit grey (1 channel) or red, green and blue (3), in (row, column, channel) order.
public struct Picture: Sendable, Equatable {
    /// Files that claim to hold more pixels are refused before memory is asked for: a few kilobytes can unfold to anything.
    /// Red, green and blue of as many take 256 MiB. Pillow warns from here on.
    public static let mostPixels = (1 << 28) / 3

    public var height: Int
    public var width: Int
    public var channels: Int
    public var pixels: [UInt8]

    public init(height: Int, width: Int, channels: Int, pixels: [UInt8]) {
        precondition(channels == 1 || channels == 3, "a picture of \(channels) channels")
        precondition(
            pixels.count == height * width * channels,
            "a picture of \(height)×\(width)×\(channels) is given \(pixels.count) pixel values")
        (self.height, self.width, self.channels, self.pixels) = (height, width, channels, pixels)
    }

    /// - Throws: `InputError` naming `file` if a picture of this size is not read.
    static func checkSize(height: Int, width: Int, channels: Int, file: String) throws {
        guard height > 0, width > 0, height <= mostPixels / width else {
            throw InputError(file: file, "has \(height)×\(width) pixels; pictures of 1 to \(mostPixels) pixels are read")
        }
        try MemoryClaim.require(height * width * channels, file: file, "the picture of \(height)×\(width) pixels")
    }

    /// Grey repeated as red, green and blue; or colour as its luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded.
    public func converted(toChannels wanted: Int) -> Picture {
        precondition(wanted == 1 || wanted == 3, "a picture of \(wanted) channels")
        if wanted == channels { return self }
        var result: [UInt8] = []
        result.reserveCapacity(height * width * wanted)
        if wanted == 3 {
            for level in pixels { for _ in 0..<3 { result.append(level) } }
        } else {
            for i in stride(from: 0, to: pixels.count, by: 3) {
                // The weights in units of 2⁻¹⁶.
                let luma = 19_595 * UInt32(pixels[i]) + 38_470 * UInt32(pixels[i + 1]) + 7_471 * UInt32(pixels[i + 2])
                result.append(UInt8((luma + 0x8000) >> 16))
            }
        }
        return Picture(height: height, width: width, channels: wanted, pixels: result)
    }
}
