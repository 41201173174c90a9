import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// Every colour type of PNG, with the chunks that could change its levels, against Pillow.
@Suite struct PNGValueTests {
    /// Writes the files by hand, since Pillow writes only some of them, and prints what each must be read as.
    ///
    /// Transparency is laid over white by Pillow's `alpha_composite`. Where one colour of 16 bits, or one grey of fewer than 8,
    /// is transparent, Pillow compares it with levels of 8 bits; the specification compares what is stored, as numpy does here.
    private static let make = """
        import itertools, struct, sys, zlib, numpy as np
        from PIL import Image
        rng, H, W = np.random.default_rng(7), 11, 13
        def chunk(kind, body): return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        def rows(values, depth):
            out = b""
            for row in values:
                flat = row.ravel()
                if depth == 16: packed = flat.astype(">u2").tobytes()
                else:
                    bits = ((flat[:, None] >> np.arange(depth)[::-1]) & 1).astype("u1").ravel()
                    packed = np.packbits(bits).tobytes()
                out += b"\\0" + packed
            return out
        ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        def png(values, colour, depth, interlaced, chunks):
            parts = [values[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [values]
            data = b"".join(rows(p, depth) for p in parts if p.size)
            head = struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, int(interlaced))
            return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
        gamma = {"": [], "gAMA": [chunk(b"gAMA", struct.pack(">I", 55556))], "linear": [chunk(b"gAMA", struct.pack(">I", 100000))],
                 "sRGB": [chunk(b"sRGB", b"\\0")]}
        number = 0
        for (colour, channels, depths) in [(0, 1, (1, 2, 4, 8, 16)), (2, 3, (8, 16)), (3, 1, (1, 2, 4, 8)), (4, 2, (8, 16)), (6, 4, (8, 16))]:
            for depth, interlaced, name, clear in itertools.product(depths, (False, True), gamma, (False, True)):
                if clear and colour > 3: continue
                values = rng.integers(0, 1 << depth, (H, W, channels))
                chunks = list(gamma[name])
                palette = rng.integers(0, 256, (1 << depth, 3), dtype="u1") if colour == 3 else None
                if colour == 3: chunks.append(chunk(b"PLTE", palette.tobytes()))
                alphas = rng.integers(0, 256, (1 << depth) - 1, dtype="u1")
                if clear and colour == 3: chunks.append(chunk(b"tRNS", alphas.tobytes()))
                elif clear:
                    # One colour is clear; another differs from it in the low byte alone.
                    if depth == 16: values[0, 1] = values[0, 0] ^ 1
                    chunks.append(chunk(b"tRNS", struct.pack(f">{channels}H", *values[0, 0])))
                path = f"{sys.argv[1]}/{number}.png"; number += 1
                open(path, "wb").write(png(values, colour, depth, interlaced, chunks))
                image = Image.open(path)
                wanted = 1 if colour in (0, 4) else 3
                if depth == 16 and colour == 0 or clear and depth != 8 and colour != 3:
                    if depth == 16 and colour == 0: assert (np.asarray(image) == values[..., 0]).all()
                    expected = (values >> 8 if depth == 16 else values * (255 // ((1 << depth) - 1))).astype("u1")
                    if clear: expected[(values == values[0, 0]).all(-1)] = 255
                else:
                    over = Image.new("RGBA", image.size, "white")
                    over.alpha_composite(image.convert("RGBA"))
                    expected = np.asarray(over)[..., :wanted]
                print(path, f"{colour}/{depth}/{interlaced}/{name}/{clear}", wanted, *expected.ravel())
        """

    @Test func levelsAreThoseThatAreStored() throws {
        try withTemporaryFolder { folder in
            let lines = try python(Self.make, folder.path).split(separator: "\n")
            #expect(lines.count == 208)
            for line in lines {
                let parts = line.split(separator: " ")
                let picture = try PNG.read(URL(fileURLWithPath: String(parts[0])))
                let expected = parts.dropFirst(3).compactMap { UInt8($0) }
                #expect(picture.height == 11 && picture.width == 13 && picture.channels == Int(parts[2]), "\(parts[1])")
                let worst = zip(picture.pixels, expected).map { abs(Int($0) - Int($1)) }.max() ?? 0
                #expect(picture.pixels.count == expected.count && worst == 0, "\(parts[1]): off by \(worst)")
            }
        }
    }

    /// Small files of large pictures are refused; one that is long and thin is read like any other.
    @Test func sizesAreBounded() throws {
        try withTemporaryFolder { folder in
            _ = try python(
                """
                import struct, sys, zlib
                def chunk(kind, body): return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
                for name, w, h in [("wide", 200000, 1), ("high", 1, 200000), ("bomb", 30000, 30000), ("most", 2**31 - 1, 2**31 - 1), ("none", 0, 4)]:
                    rows = zlib.compress(b"".join(b"\\0" + bytes([x % 251 for x in range(w)]) for _ in range(h)) if w * h < 10**6 else b"\\0" * 9)
                    open(f"{sys.argv[1]}/{name}.png", "wb").write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 0, 0, 0, 0))
                        + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
                """, folder.path)
            for name in ["bomb", "most", "none"] {
                let url = folder.appendingPathComponent("\(name).png")
                let message = try #require(throws: InputError.self, "\(name)") { _ = try PNG.read(url) }.message
                #expect(message.hasPrefix(url.path), "\(message)")
            }
            for name in ["wide", "high"] {
                let picture = try PNG.read(folder.appendingPathComponent("\(name).png"))
                #expect(picture.height * picture.width == 200_000)
                for view in [PictureView(), PictureView(.random(edge: 300, down: 0.99, right: 0.5)), PictureView(.five(3))] {
                    #expect(picture.square(256, view).pixels.count == 256 * 256)
                }
            }
        }
    }

    /// A part of a resized picture is that part of the whole.
    @Test(arguments: [(30, 17, 11, 40), (9, 9, 9, 30), (12, 33, 40, 33), (8, 8, 8, 8)])
    func aPartIsAPartOfTheWhole(_ sizes: (h: Int, w: Int, newH: Int, newW: Int)) {
        let pixels = (0..<sizes.h * sizes.w * 3).map { UInt8(truncatingIfNeeded: $0 * $0 / 7 + $0) }
        let picture = Picture(height: sizes.h, width: sizes.w, channels: 3, pixels: pixels)
        for filter in [Picture.Filter.box, .bicubic] {
            let whole = picture.resized(height: sizes.newH, width: sizes.newW, filter)
            let part = picture.resized(height: sizes.newH, width: sizes.newW, filter, rows: 2..<7, columns: 3..<8)
            for row in 0..<5 {
                let start = ((row + 2) * sizes.newW + 3) * 3
                #expect(part.pixels[row * 15..<(row + 1) * 15] == whole.pixels[start..<start + 15])
            }
        }
    }
}
