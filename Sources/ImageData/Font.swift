import CFreeType
import Foundation

/// Text for captions in pictures, drawn by FreeType in a font of the system.
final class Font {
    /// Where distributions keep a sans-serif font that has most alphabets; a variable may name another.
    private static let places = [
        ProcessInfo.processInfo.environment["PROLOGUE_FONT"],
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/TTF/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    ]

    private let library: FT_Library
    private let face: FT_Face

    /// Nil where there is no such font: pictures then go without captions.
    init?() {
        var (library, face): (FT_Library?, FT_Face?) = (nil, nil)
        guard FT_Init_FreeType(&library) == 0, let library else { return nil }
        for place in Self.places.compactMap(\.self) where face == nil { FT_New_Face(library, place, 0, &face) }
        guard let face else {
            FT_Done_FreeType(library)
            return nil
        }
        (self.library, self.face) = (library, face)
        size = 12
        FT_Set_Pixel_Sizes(face, 0, 12)
    }

    deinit { FT_Done_FreeType(library) }

    /// Height of the letters' square in pixels.
    var size: Int { didSet { FT_Set_Pixel_Sizes(face, 0, UInt32(size)) } }

    /// Pixels from the top of a line to the top of the next.
    var lineHeight: Int { ascent + Int(-face.pointee.size.pointee.metrics.descender + 63) >> 6 }
    private var ascent: Int { Int(face.pointee.size.pointee.metrics.ascender + 63) >> 6 }

    func width(of text: String) -> Int {
        text.unicodeScalars.reduce(0) { width, scalar in
            FT_Load_Char(face, FT_ULong(scalar.value), FT_Int32(FT_LOAD_DEFAULT)) == 0 ? width + advance : width
        }
    }

    /// As much of the text as is at most `width` wide, with an ellipsis where something is left out.
    func fitting(_ text: String, width: Int) -> String {
        if self.width(of: text) <= width { return text }
        var part = text
        while !part.isEmpty, self.width(of: part + "…") > width { part.removeLast() }
        return part.isEmpty ? "" : part + "…"
    }

    /// Calls `body` with how much of each pixel of the text is covered (1…255), counted from the top left of its line.
    func draw(_ text: String, _ body: (_ row: Int, _ column: Int, _ cover: UInt8) -> Void) {
        var start = 0
        for scalar in text.unicodeScalars {
            guard FT_Load_Char(face, FT_ULong(scalar.value), FT_Int32(FT_LOAD_RENDER)) == 0 else { continue }
            let glyph = face.pointee.glyph.pointee
            let (top, left) = (ascent - Int(glyph.bitmap_top), start + Int(glyph.bitmap_left))
            for y in 0..<Int(glyph.bitmap.rows) {
                for x in 0..<Int(glyph.bitmap.width) {
                    guard let cover = glyph.bitmap.buffer?[y * Int(glyph.bitmap.pitch) + x], cover > 0 else { continue }
                    body(top + y, left + x, cover)
                }
            }
            start += advance
        }
    }

    /// Of the glyph that was loaded last.
    private var advance: Int { Int(face.pointee.glyph.pointee.advance.x + 32) >> 6 }
}
