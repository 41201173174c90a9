/// Resizing by a triangle filter ("bilinear") that widens when shrinking, so that nothing between the samples is lost.
extension Picture {
    /// The picture scaled so that its shorter side is `size`, and the `size`×`size` in the middle of it.
    ///
    /// The longer side becomes round(size · longer / shorter); an odd remainder is cut from the right or bottom.
    public func square(_ size: Int) -> Picture {
        precondition(size > 0 && height > 0 && width > 0, "a picture of \(height)×\(width) pixels to a square of \(size)")
        if height == size && width == size { return self }
        let shorter = min(height, width)
        func taps(_ length: Int) -> [Tap] {
            let scaled = (2 * size * length + shorter) / (2 * shorter)
            let start = (scaled - size) / 2
            return (start..<start + size).map { Tap(output: $0, of: scaled, from: length) }
        }
        let (rows, columns) = (taps(height), taps(width))
        // Only the rows that some output row reads are resized along the other axis.
        let first = rows[0].first
        let used = first..<rows[size - 1].first + rows[size - 1].weights.count
        var across = [Float](repeating: 0, count: used.count * size * channels)
        var result = [UInt8](repeating: 0, count: size * size * channels)
        pixels.withUnsafeBufferPointer { pixels in
            across.withUnsafeMutableBufferPointer { across in
                for row in used {
                    for (x, tap) in columns.enumerated() {
                        let from = (row * width + tap.first) * channels
                        let to = ((row - first) * size + x) * channels
                        for (k, weight) in tap.weights.enumerated() {
                            for c in 0..<channels { across[to + c] += weight * Float(pixels[from + k * channels + c]) }
                        }
                    }
                }
                let line = size * channels
                var sum = [Float](repeating: 0, count: line)
                for (y, tap) in rows.enumerated() {
                    for j in 0..<line { sum[j] = 0.5 }
                    for (k, weight) in tap.weights.enumerated() {
                        let from = (tap.first - first + k) * line
                        for j in 0..<line { sum[j] += weight * across[from + j] }
                    }
                    for j in 0..<line { result[y * line + j] = UInt8(min(max(sum[j], 0), 255)) }
                }
            }
        }
        return Picture(height: size, width: size, channels: channels, pixels: result)
    }
}

/// The inputs along one axis that an output is made of: those around its centre, weighted by a triangle.
private struct Tap {
    let first: Int
    /// Sum to one.
    let weights: [Float]

    /// Output `output` of `outputs` that share an axis of `inputs`.
    init(output: Int, of outputs: Int, from inputs: Int) {
        let scale = Double(inputs) / Double(outputs)
        let centre = (Double(output) + 0.5) * scale
        let reach = max(scale, 1)
        first = max(0, Int(centre - reach + 0.5))
        let end = min(inputs, Int(centre + reach + 0.5))
        let heights = (first..<end).map { max(0, 1 - abs(Double($0) + 0.5 - centre) / reach) }
        let total = heights.reduce(0, +)
        weights = heights.map { Float($0 / total) }
    }
}
