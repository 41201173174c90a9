import Files
import Foundation
import ImageData
import TestSupport
import Testing

@Suite struct PNGTests {
    /// Undoes PNG's row filters by hand, from the specification: what zlib and numpy alone can read.
    private static let decode = """
        import struct, sys, zlib, numpy as np
        data, at, idat = open(sys.argv[1], "rb").read(), 8, b""
        assert data[:8] == b"\\x89PNG\\r\\n\\x1a\\n"
        while at < len(data):
            length, kind = struct.unpack(">I4s", data[at:at + 8])
            body = data[at + 8:at + 8 + length]
            assert struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0] == zlib.crc32(kind + body)
            if kind == b"IHDR": w, h, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            if kind == b"IDAT": idat += body
            at += 12 + length
        assert depth == 8 and interlace == 0
        c = {0: 1, 2: 3}[colour]
        raw = np.frombuffer(zlib.decompress(idat), np.uint8).reshape(h, 1 + w * c).astype(int)
        out = np.zeros((h, w * c), int)
        for y in range(h):
            for x in range(w * c):
                a = out[y, x - c] if x >= c else 0
                b = out[y - 1, x] if y else 0
                d = out[y - 1, x - c] if y and x >= c else 0
                p = a + b - d
                paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - d), 2, d))[2]
                out[y, x] = (raw[y, 1 + x] + [0, a, b, (a + b) // 2, paeth][raw[y, 0]]) % 256
        print(h, w, c, *out.ravel())
        """

    @Test(arguments: [(5, 7, 1), (9, 4, 3), (1, 1, 3), (33, 20, 1)])
    func pythonDecodesWhatIsWritten(_ size: (height: Int, width: Int, channels: Int)) throws {
        let count = size.height * size.width * size.channels
        let pixels = (0..<count).map { UInt8(truncatingIfNeeded: $0 * $0 / 3 + $0) }
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("a.png")
            try PNG.write(pixels: pixels, height: size.height, width: size.width, channels: size.channels, to: url)
            let printed = try python(Self.decode, url.path).split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            #expect(printed == [size.height, size.width, size.channels] + pixels.map(Int.init))
            #expect(try PNG.read(url) == Picture(height: size.height, width: size.width, channels: size.channels, pixels: pixels))
        }
    }

    @Test func readsWhatPythonWrites() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("b.png")
            // Colour with transparency: opaque red, clear green (becomes white).
            _ = try python(
                """
                import struct, sys, zlib
                def chunk(kind, body): return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
                open(sys.argv[1], "wb").write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 6, 0, 0, 0))
                    + chunk(b"IDAT", zlib.compress(bytes([0, 255, 0, 0, 255, 0, 255, 0, 0]))) + chunk(b"IEND", b""))
                """, url.path)
            #expect(try PNG.read(url) == Picture(height: 1, width: 2, channels: 3, pixels: [255, 0, 0, 255, 255, 255]))
        }
    }

    @Test func damagedFilesAreNamed() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("c.png")
            try PNG.write(pixels: (0..<3000).map { UInt8($0 % 251) }, height: 50, width: 20, channels: 3, to: url)
            let whole = try Data(contentsOf: url)
            for length in [0, 7, 20, whole.count / 2] {
                try whole.prefix(length).write(to: url)
                let error = #expect(throws: InputError.self, "cut to \(length)") { try PNG.read(url) }
                #expect(error?.message.hasPrefix(url.path) == true)
            }
            try Data("no picture at all".utf8).write(to: url)
            #expect(throws: InputError.self) { try PNG.read(url) }
            #expect(throws: InputError.self) { try PNG.read(folder.appendingPathComponent("missing.png")) }
            let nowhere = folder.appendingPathComponent("missing/d.png")
            #expect(throws: InputError.self) { try PNG.write(pixels: [0], height: 1, width: 1, channels: 1, to: nowhere) }
        }
    }

    @Test func aGridHoldsItsImagesWhereTheyBelong() throws {
        let set = ImageSetTests.numbered(count: 5, height: 4, width: 3, channels: 3)
        let picture = ImageGrid(columns: 2, gap: 1, scale: 2).picture(
            set.pixels, height: set.height, width: set.width, channels: set.channels)
        #expect(picture.width == 2 + 2 * (6 + 2) && picture.height == 2 + 3 * (8 + 2))
        var wrong: [[Int]] = []
        for y in 0..<picture.height {
            for x in 0..<picture.width {
                let (row, v) = (y - 2).quotientAndRemainder(dividingBy: 10)
                let (column, u) = (x - 2).quotientAndRemainder(dividingBy: 8)
                let image = row * 2 + column
                let isImage = y >= 2 && x >= 2 && v < 8 && u < 6 && image < 5
                for c in 0..<3 {
                    let expected = isImage ? set.pixels[((image * 4 + v / 2) * 3 + u / 2) * 3 + c] : 255
                    if picture.pixels[(y * picture.width + x) * 3 + c] != expected { wrong.append([y, x, c]) }
                }
            }
        }
        #expect(wrong.isEmpty)
    }

    @Test func captionsMoveTheImagesAndStayOutsideThem() throws {
        let black = [UInt8](repeating: 0, count: 4 * 16 * 16)
        let plain = ImageGrid(columns: 2, scale: 2).picture(black, height: 16, width: 16, channels: 1)
        let grid = ImageGrid(
            columns: 2, scale: 2, rowLabels: ["input", "T 0.9"], columnLabels: ["a", "a caption that is too long"], title: "title")
        let labelled = grid.picture(black, height: 16, width: 16, channels: 1)
        #expect(labelled.width > plain.width && labelled.height > plain.height)
        let count = { (picture: Picture, levels: ClosedRange<UInt8>) in picture.pixels.count { levels.contains($0) } }
        #expect(count(plain, 0...0) == 4 * 32 * 32 && count(labelled, 0...0) == 4 * 32 * 32)
        #expect(count(plain, 1...254) == 0 && count(labelled, 60...254) > 100 && count(labelled, 1...59) == 0)
    }
}
