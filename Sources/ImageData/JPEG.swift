import CTurboJPEG
import Files
import Foundation

/// JPEG files through libjpeg-turbo.
public enum JPEG {
    /// Any 8-bit JPEG: grey stays grey, everything else becomes red, green and blue. Orientation tags are not followed.
    /// - Throws: `InputError` where the file is missing, damaged, cut short or no JPEG.
    public static func read(_ url: URL) throws -> Picture {
        try decode(try FileContent.read(url.path), file: url.path)
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
        let format: TJPF
        let channels: Int
        switch Int(space) {
        case Int(TJCS_GRAY.rawValue): (format, channels) = (TJPF_GRAY, 1)
        case Int(TJCS_CMYK.rawValue), Int(TJCS_YCCK.rawValue): (format, channels) = (TJPF_CMYK, 4)
        default: (format, channels) = (TJPF_RGB, 3)
        }
        try Picture.checkSize(height: Int(height), width: Int(width), channels: channels, file: name)
        var pixels = [UInt8](repeating: 0, count: Int(height) * Int(width) * channels)
        func decode(stopOnWarning: Bool) -> Bool {
            tjDecompress2(
                decoder, file, CUnsignedLong(file.count), &pixels, width, 0, height, Int32(format.rawValue),
                stopOnWarning ? TJFLAG_STOPONWARNING : 0) == 0
        }
        // What the library warns of first, such as an early end, has left grey areas in the picture: damage as well.
        if !decode(stopOnWarning: true) {
            guard isFilling(message(decoder)) else { throw InputError(file: name, "is a damaged JPEG: \(message(decoder))") }
            _ = decode(stopOnWarning: false)
        }
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

    /// Bytes between the end of the picture's data and the next marker, as some cameras write them, take nothing from the
    /// picture. Before one of the markers 0xD0 to 0xD7, which stand within the data, they are damage.
    private static func isFilling(_ warning: String) -> Bool {
        guard warning.contains("extraneous bytes before marker"), let marker = warning.split(separator: " ").last,
            marker.hasPrefix("0x"), let code = Int(marker.dropFirst(2), radix: 16)
        else { return false }
        return !(0xD0...0xD7).contains(code)
    }

    private static func message(_ decoder: tjhandle?) -> String {
        tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "unknown error"
    }
}
