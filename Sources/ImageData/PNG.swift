import CPNG
import Files
import Foundation

/// PNG files through libpng.
public enum PNG {
    /// Writes 8-bit pixels in (row, column, channel) order, one channel or three, in one step.
    public static func write(pixels: [UInt8], height: Int, width: Int, channels: Int, to url: URL) throws {
        try write(Picture(height: height, width: width, channels: channels, pixels: pixels), to: url)
    }

    public static func write(_ picture: Picture, to url: URL) throws {
        precondition(picture.height > 0 && picture.width > 0, "a picture of \(picture.height)×\(picture.width) pixels")
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        image.width = UInt32(picture.width)
        image.height = UInt32(picture.height)
        image.format = format(channels: picture.channels)
        defer { png_image_free(&image) }
        try AtomicFile.replace(url) { aside in
            let done = png_image_write_to_file(&image, aside.path, 0, picture.pixels, 0, nil)
            guard done != 0 else { throw InputError(file: url.path, "cannot be written: \(message(of: image))") }
        }
    }

    /// The content of such a file.
    public static func data(_ picture: Picture) throws -> Data {
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        (image.width, image.height) = (UInt32(picture.width), UInt32(picture.height))
        image.format = format(channels: picture.channels)
        defer { png_image_free(&image) }
        // More than any compression of these pixels can take.
        var size = png_alloc_size_t(picture.pixels.count + picture.height * 8 + picture.pixels.count / 100 + 4096)
        var bytes = [UInt8](repeating: 0, count: Int(size))
        guard png_image_write_to_memory(&image, &bytes, &size, 0, picture.pixels, 0, nil) != 0 else {
            throw InputError("a picture of \(picture.height)×\(picture.width) pixels cannot be packed: \(message(of: image))")
        }
        return Data(bytes.prefix(Int(size)))
    }

    /// Any PNG as 8 bits a channel: grey stays grey, everything else becomes red, green and blue.
    ///
    /// Levels are those that are stored, as Pillow gives them: of 16 bits the high byte, no correction for gamma or by a colour
    /// profile. Transparency (alpha or tRNS) is laid over white in these levels.
    /// - Throws: `InputError` where the file is missing, damaged or no PNG.
    public static func read(_ url: URL) throws -> Picture {
        try decode(try FileContent.read(url.path), file: url.path)
    }

    /// The same from the content of a file, which errors call `name`.
    static func decode(_ data: Data, file name: String) throws -> Picture {
        let content = [UInt8](data)
        return try content.withUnsafeBufferPointer { bytes in
            var reader = png_reader()
            (reader.bytes, reader.count) = (bytes.baseAddress, bytes.count)
            defer { png_reader_end(&reader) }
            guard png_reader_begin(&reader) != 0 else {
                throw InputError(file: name, "is not a readable PNG: \(message(of: reader))")
            }
            let (height, width, channels) = (Int(reader.height), Int(reader.width), Int(reader.channels))
            try Picture.checkSize(height: height, width: width, channels: channels, file: name)
            var pixels = [UInt8](repeating: 0, count: height * width * channels)
            guard png_reader_pixels(&reader, &pixels) != 0 else {
                throw InputError(file: name, "is a damaged PNG: \(message(of: reader))")
            }
            if channels == 2 || channels == 4 { pixels = overWhite(pixels, channels: channels) }
            return Picture(height: height, width: width, channels: channels < 3 ? 1 : 3, pixels: pixels)
        }
    }

    /// Colours whose last channel is their opacity, laid over white: (v·a + 255·(255 − a))/255, rounded.
    private static func overWhite(_ pixels: [UInt8], channels: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(pixels.count / channels * (channels - 1))
        for pixel in stride(from: 0, to: pixels.count, by: channels) {
            let alpha = Int(pixels[pixel + channels - 1])
            for c in 0..<channels - 1 {
                result.append(UInt8((Int(pixels[pixel + c]) * alpha + 255 * (255 - alpha) + 127) / 255))
            }
        }
        return result
    }

    private static func format(channels: Int) -> UInt32 {
        channels == 1 ? UInt32(PNG_FORMAT_GRAY) : UInt32(PNG_FORMAT_FLAG_COLOR)
    }

    private static func message(of reader: png_reader) -> String {
        withUnsafeBytes(of: reader.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func message(of image: png_image) -> String {
        withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
