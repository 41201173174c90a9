/// Which square of a picture a model sees.
public struct PictureView: Sendable, Equatable {
    public enum Crop: Sendable, Equatable {
        /// The middle, the shorter edge scaled to the square's side (as in the evaluation protocol of ADM).
        case centre
        /// The shorter edge scaled to `edge`, at least the square's side; then the square at these shares, in 0 ..< 1, of the
        /// places that there are.
        case random(edge: Int, down: Double, right: Double)
        /// One of the four corners (0…3: top left, top right, bottom left, bottom right) or the middle (4) of the centre
        /// square of round(1.1 · side).
        case five(Int)
    }

    public var crop: Crop
    /// Mirrored left to right afterwards.
    public var isMirrored: Bool

    public init(_ crop: Crop = .centre, isMirrored: Bool = false) { (self.crop, self.isMirrored) = (crop, isMirrored) }

    /// The middle and the corners, then the same mirrored.
    public static let ten: [PictureView] = [false, true].flatMap { mirrored in
        [4, 0, 1, 2, 3].map { PictureView(.five($0), isMirrored: mirrored) }
    }

    /// Lengths that a random crop scales the shorter edge to: the square then covers 1 down to `smallest` of that edge.
    public static func edges(side: Int, smallest: Double) -> ClosedRange<Int> {
        side...max(side, Int((Double(side) / smallest).rounded(.up)))
    }
}

extension PictureView {
    /// Length that the shorter edge of a picture is scaled to, for a square of `side`.
    func edge(side: Int) -> Int {
        switch crop {
        case .centre: side
        case .random(let edge, _, _): edge
        // Rounded to the nearest.
        case .five: (11 * side + 5) / 10
        }
    }
}

extension Picture {
    /// What `view` shows of the picture, `side`×`side`.
    public func square(_ side: Int, _ view: PictureView = PictureView()) -> Picture {
        precondition(side > 0, "a square of side \(side)")
        let square: Picture
        switch view.crop {
        case .centre: square = middle(side)
        case .random(let edge, let down, let right):
            precondition(edge >= side, "a crop of \(side) from an edge of \(edge)")
            square = scaled(toEdge: edge, side) { (Int(down * Double($0 - side + 1)), Int(right * Double($1 - side + 1))) }
        case .five(let place):
            let larger = middle(view.edge(side: side))
            let rest = larger.height - side
            // An odd remainder rounds to even, as Python does it.
            let centre = Int((Double(rest) / 2).rounded(.toNearestOrEven))
            let (top, left) = [(0, 0), (0, rest), (rest, 0), (rest, rest), (centre, centre)][place]
            square = larger.cropped(top..<top + side, left..<left + side)
        }
        return view.isMirrored ? square.mirrored() : square
    }

    private func middle(_ side: Int) -> Picture {
        scaled(toEdge: side, side) { (($0 - side) / 2, ($1 - side) / 2) }
    }

    /// Halved by boxes while the shorter edge stays at least twice `edge`, then bicubic; of this the square of `side` whose
    /// top and left `place` tells from height and width. A picture far longer than wide is never made whole at that size.
    private func scaled(toEdge edge: Int, _ side: Int, _ place: (Int, Int) -> (top: Int, left: Int)) -> Picture {
        let picture = halved(downTo: edge)
        let scale = Double(edge) / Double(min(picture.height, picture.width))
        func scaled(_ length: Int) -> Int { max(edge, Int((Double(length) * scale).rounded(.toNearestOrEven))) }
        let (height, width) = (scaled(picture.height), scaled(picture.width))
        let (top, left) = place(height, width)
        return picture.resized(
            height: height, width: width, .bicubic, rows: top..<top + side, columns: left..<left + side)
    }

    /// Halved by boxes while the shorter edge stays at least twice `edge`. Halved first for a longer edge, it becomes the same.
    func halved(downTo edge: Int) -> Picture {
        var picture = self
        while min(picture.height, picture.width) >= 2 * edge {
            picture = picture.resized(height: picture.height / 2, width: picture.width / 2, .box)
        }
        return picture
    }

    func cropped(_ rows: Range<Int>, _ columns: Range<Int>) -> Picture {
        if rows == 0..<height && columns == 0..<width { return self }
        var part: [UInt8] = []
        part.reserveCapacity(rows.count * columns.count * channels)
        for row in rows {
            let start = (row * width + columns.lowerBound) * channels
            part += pixels[start..<start + columns.count * channels]
        }
        return Picture(height: rows.count, width: columns.count, channels: channels, pixels: part)
    }

    func mirrored() -> Picture {
        var result = self
        pixels.withUnsafeBufferPointer { pixels in
            result.pixels.withUnsafeMutableBufferPointer { result in
                for row in 0..<height {
                    for x in 0..<width {
                        let (from, to) = ((row * width + width - 1 - x) * channels, (row * width + x) * channels)
                        for c in 0..<channels { result[to + c] = pixels[from + c] }
                    }
                }
            }
        }
        return result
    }
}
