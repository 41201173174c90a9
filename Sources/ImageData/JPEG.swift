import CTurboJPEG
import Files
import Foundation

/// JPEG files through libjpeg-turbo.
public enum JPEG {
    /// Any 8-bit JPEG: grey stays grey, everything else becomes red, green and blue. Orientation tags are not followed.
    /// - Throws: `InputError` where the file is missing, damaged, cut short or no JPEG.
    public static func read(_ url: URL) throws -> Picture {
        guard let data = FileManager.default.contents(atPath: url.path) else {
            throw InputError(file: url.path, "no such file, or it cannot be read")
        }
        return try decode(data, file: url.path)
    }

    /// The same from the content of a file, which errors call `name`.
    static func decode(_ data: Data, file name: String) throws -> Picture {
        guard let decoder = tjInitDecompress() else {
            throw InputError(file: name, "libjpeg-turbo cannot be started: \(message(nil))")
        }
        defer { tjDestroy(decoder) }
        let file = [UInt8](data)
        var (width, height, subsampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
        guard
            tjDecompressHeader3(decoder, file, CUnsignedLong(file.count), &width, &height, &subsampling, &space) == 0,
            width > 0, height > 0
        else { throw InputError(file: name, "is not a readable JPEG: \(message(decoder))") }
        let count = Int(width) * Int(height)
        guard count <= Picture.mostPixels else {
            throw InputError(file: name, "has \(height)×\(width) pixels, more than the \(Picture.mostPixels) that are read")
        }
        let format: TJPF
        let channels: Int
        switch Int(space) {
        case Int(TJCS_GRAY.rawValue): (format, channels) = (TJPF_GRAY, 1)
        case Int(TJCS_CMYK.rawValue), Int(TJCS_YCCK.rawValue): (format, channels) = (TJPF_CMYK, 4)
        default: (format, channels) = (TJPF_RGB, 3)
        }
        var pixels = [UInt8](repeating: 0, count: count * channels)
        // What the library only warns of, such as an early end, has left grey areas in the picture: damage as well.
        guard
            tjDecompress2(
                decoder, file, CUnsignedLong(file.count), &pixels, width, 0, height, Int32(format.rawValue), 0) == 0
        else { throw InputError(file: name, "is a damaged JPEG: \(message(decoder))") }
        if channels == 4 { pixels = colours(ofInverted: pixels) }
        return Picture(height: Int(height), width: Int(width), channels: min(channels, 3), pixels: pixels)
    }

    /// Red, green and blue of cyan, magenta, yellow and black, stored inverted as all common programs write them.
    private static func colours(ofInverted inks: [UInt8]) -> [UInt8] {
        var colours: [UInt8] = []
        colours.reserveCapacity(inks.count / 4 * 3)
        for i in stride(from: 0, to: inks.count, by: 4) {
            for c in 0..<3 { colours.append(UInt8((Int(inks[i + c]) * Int(inks[i + 3]) + 127) / 255)) }
        }
        return colours
    }

    private static func message(_ decoder: tjhandle?) -> String {
        tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "unknown error"
    }
}
