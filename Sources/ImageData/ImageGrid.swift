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
    /// One caption above each column, from the left; cut short where it does not fit.
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
        let font = title.isEmpty && rowLabels.isEmpty && columnLabels.isEmpty ? nil : Font()
        font?.size = max(9, min(14, cellHeight / 3))
        let (line, pad) = (font?.lineHeight ?? 0, max(space, 4))
        let rowLabels = font == nil ? [] : Array(rowLabels.prefix(rows))
        let columnLabels = font == nil ? [] : Array(columnLabels.prefix(columns))
        let labelWidth = rowLabels.compactMap { font?.width(of: $0) }.max() ?? 0

        var top = space
        var left = space
        let hasTitle = font != nil && !title.isEmpty
        if hasTitle { top += line + pad }
        let columnLabelTop = top
        if !columnLabels.isEmpty { top += line + 2 }
        if labelWidth > 0 { left += labelWidth + pad }
        let titleWidth = hasTitle ? (font?.width(of: title) ?? 0) + 2 * pad : 0
        var canvas = Canvas(
            height: top + rows * (cellHeight + space), width: max(left + columns * (cellWidth + space), titleWidth),
            channels: channels)

        if let font {
            if hasTitle { canvas.write(title, font, top: space, left: pad) }
            let (size, longest) = (font.size, columnLabels.map { font.width(of: $0) }.max() ?? 0)
            // Smaller letters rather than fewer.
            if longest > cellWidth { font.size = max(9, size * cellWidth / longest) }
            for (column, label) in columnLabels.enumerated() {
                let text = font.fitting(label, width: cellWidth)
                canvas.write(
                    text, font, top: columnLabelTop,
                    left: left + column * (cellWidth + space) + (cellWidth - font.width(of: text)) / 2)
            }
            font.size = size
            for (row, label) in rowLabels.enumerated() {
                canvas.write(
                    label, font, top: top + row * (cellHeight + space) + (cellHeight - line) / 2,
                    left: left - pad - font.width(of: label))
            }
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
    mutating func write(_ text: String, _ font: Font, top: Int, left: Int) {
        let ink = 60
        font.draw(text) { row, column, cover in
            let (y, x) = (top + row, left + column)
            guard y >= 0, y < picture.height, x >= 0, x < picture.width else { return }
            for c in 0..<picture.channels {
                let place = (y * picture.width + x) * picture.channels + c
                let ground = Int(picture.pixels[place])
                picture.pixels[place] = UInt8(ground + (ink - ground) * Int(cover) / 255)
            }
        }
    }
}
