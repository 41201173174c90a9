import Foundation

/// Images laid out in rows and columns on white, so that they can be looked at together.
public struct ImageGrid: Sendable {
    /// Images in a row.
    public var columns: Int
    /// White pixels between images and around them, before `scale`.
    public var gap = 2
    /// Every pixel of an image becomes a square of this side.
    public var scale = 3
    /// One caption to the left of each row, from the top; rows beyond the last have none.
    public var rowLabels: [String] = []
    /// One caption above each column, from the left; cut where it does not fit.
    public var columnLabels: [String] = []
    /// A line over everything.
    public var title = ""

    public init(
        columns: Int, gap: Int = 2, scale: Int = 3, rowLabels: [String] = [], columnLabels: [String] = [], title: String = ""
    ) {
        precondition(columns > 0 && gap >= 0 && scale > 0, "a grid of \(columns) columns, gap \(gap), scale \(scale)")
        (self.columns, self.gap, self.scale) = (columns, gap, scale)
        (self.rowLabels, self.columnLabels, self.title) = (rowLabels, columnLabels, title)
    }

    /// The picture of `pixels` in (image, row, column, channel) order, filled row by row; the last row may stay short.
    public func picture(_ pixels: [UInt8], height: Int, width: Int, channels: Int) -> Picture {
        let bytes = height * width * channels
        precondition(
            bytes > 0 && pixels.count % bytes == 0,
            "\(pixels.count) values are no whole number of \(height)×\(width)×\(channels) images")
        let count = pixels.count / bytes
        let rows = (count + columns - 1) / columns
        let (cellHeight, cellWidth, space) = (height * scale, width * scale, gap * scale)
        let textScale = max(1, min(2, cellHeight / (3 * BitmapFont.height)))
        let line = BitmapFont.height * textScale
        let labelWidth = rowLabels.prefix(rows).map { BitmapFont.width(of: $0) * textScale }.max() ?? 0

        var top = max(space, textScale)
        var left = space
        if !title.isEmpty { top += line + 3 * textScale }
        let columnLabelTop = top
        if !columnLabels.isEmpty { top += line + 2 * textScale }
        if labelWidth > 0 { left += labelWidth + 4 * textScale }
        let gridWidth = left + columns * (cellWidth + space)
        let titleWidth = title.isEmpty ? 0 : BitmapFont.width(of: title) * textScale + 2 * max(space, textScale)
        var canvas = Canvas(
            height: top + rows * (cellHeight + space), width: max(gridWidth, titleWidth), channels: channels)

        canvas.write(title, top: max(space, textScale), left: max(space, textScale), scale: textScale)
        let longest = columnLabels.prefix(columns).map { BitmapFont.width(of: $0) }.max() ?? 0
        let columnScale = longest * textScale <= cellWidth ? textScale : 1
        for (column, label) in columnLabels.prefix(columns).enumerated() {
            let text = String(label.prefix(max(1, (cellWidth + space) / (BitmapFont.advance * columnScale))))
            let margin = max(0, cellWidth - BitmapFont.width(of: text) * columnScale) / 2
            canvas.write(
                text, top: columnLabelTop + line - BitmapFont.height * columnScale,
                left: left + column * (cellWidth + space) + margin, scale: columnScale)
        }
        for (row, label) in rowLabels.prefix(rows).enumerated() {
            let margin = labelWidth - BitmapFont.width(of: label) * textScale
            canvas.write(
                label, top: top + row * (cellHeight + space) + max(0, cellHeight - line) / 2,
                left: max(space, textScale) + margin, scale: textScale)
        }
        for image in 0..<count {
            let (row, column) = image.quotientAndRemainder(dividingBy: columns)
            canvas.place(
                pixels[image * bytes..<(image + 1) * bytes], height: height, width: width,
                top: top + row * (cellHeight + space), left: left + column * (cellWidth + space), scale: scale)
        }
        return canvas.picture
    }
}

private struct Canvas {
    var picture: Picture

    init(height: Int, width: Int, channels: Int) {
        picture = Picture(
            height: height, width: width, channels: channels,
            pixels: [UInt8](repeating: 255, count: height * width * channels))
    }

    mutating func place(_ pixels: ArraySlice<UInt8>, height: Int, width: Int, top: Int, left: Int, scale: Int) {
        let channels = picture.channels
        for y in 0..<height * scale {
            for x in 0..<width * scale {
                let from = pixels.startIndex + (y / scale * width + x / scale) * channels
                let to = ((top + y) * picture.width + left + x) * channels
                for c in 0..<channels { picture.pixels[to + c] = pixels[from + c] }
            }
        }
    }

    /// Dark grey text; what would lie outside is left out.
    mutating func write(_ text: String, top: Int, left: Int, scale: Int) {
        for (place, character) in text.enumerated() {
            for (y, bits) in BitmapFont.rows(of: character).enumerated() {
                for x in 0..<5 where bits >> (4 - x) & 1 == 1 {
                    for row in top + y * scale..<top + (y + 1) * scale where row < picture.height {
                        let first = left + (place * BitmapFont.advance + x) * scale
                        for column in first..<first + scale where column < picture.width {
                            for c in 0..<picture.channels {
                                picture.pixels[(row * picture.width + column) * picture.channels + c] = 60
                            }
                        }
                    }
                }
            }
        }
    }
}
