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

    /// Any PNG as 8 bits a channel: grey stays grey, everything else becomes red, green and blue, transparency turns white.
    /// - Throws: `InputError` where the file is missing, damaged or no PNG.
    public static func read(_ url: URL) throws -> Picture {
        guard let data = FileManager.default.contents(atPath: url.path) else {
            throw InputError(file: url.path, "no such file, or it cannot be read")
        }
        return try decode(data, file: url.path)
    }

    /// The same from the content of a file, which errors call `name`.
    static func decode(_ data: Data, file name: String) throws -> Picture {
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        // libpng reads from this memory until the picture is finished.
        let content = [UInt8](data)
        return try content.withUnsafeBytes { bytes in
            guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
                throw InputError(file: name, "is not a readable PNG: \(message(of: image))")
            }
            let channels = image.format & UInt32(PNG_FORMAT_FLAG_COLOR) == 0 ? 1 : 3
            image.format = format(channels: channels)
            let (height, width) = (Int(image.height), Int(image.width))
            guard height * width <= Picture.mostPixels else {
                throw InputError(file: name, "has \(height)×\(width) pixels, more than the \(Picture.mostPixels) that are read")
            }
            var pixels = [UInt8](repeating: 0, count: height * width * channels)
            var white = png_color(red: 255, green: 255, blue: 255)
            guard png_image_finish_read(&image, &white, &pixels, 0, nil) != 0 else {
                throw InputError(file: name, "is a damaged PNG: \(message(of: image))")
            }
            return Picture(height: height, width: width, channels: channels, pixels: pixels)
        }
    }

    private static func format(channels: Int) -> UInt32 {
        channels == 1 ? UInt32(PNG_FORMAT_GRAY) : UInt32(PNG_FORMAT_FLAG_COLOR)
    }

    private static func message(of image: png_image) -> String {
        withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
