/// Resizing of 8-bit pictures in the arithmetic of Pillow's `Image.resize`, bit for bit: weights in units of 2⁻²², first
/// along the rows, then along the columns, each rounded to 8 bits. The crops behind published reference statistics are made
/// this way; recent versions of Pillow may take the columns first where that is cheaper, which changes a few levels by one.
extension Picture {
    public enum Filter: Sendable {
        /// Mean over the pixels that fall on an output pixel.
        case box
        /// Cubic convolution with a = −½ (Keys 1981), widened when shrinking.
        case bicubic

        /// How far from its centre an output pixel reads, in input pixels when nothing is shrunk.
        fileprivate var support: Double {
            switch self {
            case .box: 0.5
            case .bicubic: 2
            }
        }

        fileprivate func weight(_ distance: Double) -> Double {
            switch self {
            case .box: return distance > -0.5 && distance <= 0.5 ? 1 : 0
            case .bicubic:
                let (x, a) = (abs(distance), -0.5)
                if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
                return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
            }
        }
    }

    /// The picture at another size, or what is in `rows` and `columns` of that: nothing else is computed or held.
    public func resized(
        height newHeight: Int, width newWidth: Int, _ filter: Filter, rows: Range<Int>? = nil, columns: Range<Int>? = nil
    ) -> Picture {
        precondition(
            newHeight > 0 && newWidth > 0 && height > 0 && width > 0,
            "a picture of \(height)×\(width) pixels resized to \(newHeight)×\(newWidth)")
        let (rows, columns) = (rows ?? 0..<newHeight, columns ?? 0..<newWidth)
        precondition(
            rows.lowerBound >= 0 && rows.upperBound <= newHeight && columns.lowerBound >= 0 && columns.upperBound <= newWidth,
            "rows \(rows) and columns \(columns) of \(newHeight)×\(newWidth)")
        var result = newWidth == width ? cropped(0..<height, columns) : self
        if newWidth != width {
            result = result.resampled(
                to: columns.count, Taps(from: width, to: newWidth, columns, filter), lines: height, step: channels,
                line: width * channels)
        }
        if newHeight == height { return result.cropped(rows, 0..<result.width) }
        return result.transposedResample(to: rows.count, Taps(from: height, to: newHeight, rows, filter))
    }

    /// Along the rows: each of `lines` rows of `line` values becomes one of `count` pixels.
    private func resampled(to count: Int, _ taps: Taps, lines: Int, step: Int, line: Int) -> Picture {
        var result = [UInt8](repeating: 0, count: lines * count * step)
        pixels.withUnsafeBufferPointer { pixels in
            result.withUnsafeMutableBufferPointer { result in
                taps.weights.withUnsafeBufferPointer { weights in
                    for row in 0..<lines {
                        for x in 0..<count {
                            let (first, n) = taps.spans[x]
                            for c in 0..<step {
                                var sum = Taps.half
                                for k in 0..<n {
                                    sum &+= weights[x * taps.width + k] &* Int32(pixels[row * line + (first + k) * step + c])
                                }
                                result[(row * count + x) * step + c] = Taps.level(sum)
                            }
                        }
                    }
                }
            }
        }
        return Picture(height: lines, width: count, channels: channels, pixels: result)
    }

    /// Along the columns.
    private func transposedResample(to count: Int, _ taps: Taps) -> Picture {
        let line = width * channels
        var result = [UInt8](repeating: 0, count: count * line)
        var sums = [Int32](repeating: 0, count: line)
        pixels.withUnsafeBufferPointer { pixels in
            result.withUnsafeMutableBufferPointer { result in
                sums.withUnsafeMutableBufferPointer { sums in
                    for y in 0..<count {
                        let (first, n) = taps.spans[y]
                        sums.update(repeating: Taps.half)
                        for k in 0..<n {
                            let weight = taps.weights[y * taps.width + k]
                            let from = (first + k) * line
                            for j in 0..<line { sums[j] &+= weight &* Int32(pixels[from + j]) }
                        }
                        for j in 0..<line { result[y * line + j] = Taps.level(sums[j]) }
                    }
                }
            }
        }
        return Picture(height: count, width: width, channels: channels, pixels: result)
    }
}

/// What each output pixel along one axis reads, with fixed-point weights.
private struct Taps {
    static let bits: Int32 = 22
    /// Half a level: rounds what is cut off.
    static let half: Int32 = 1 << 21

    /// Weights kept for each output, of which the first `count` of its span are used.
    let width: Int
    let spans: [(first: Int, count: Int)]
    let weights: [Int32]

    /// - Parameter wanted: the outputs that are computed, among `outputs`.
    init(from inputs: Int, to outputs: Int, _ wanted: Range<Int>, _ filter: Picture.Filter) {
        let scale = Double(inputs) / Double(outputs)
        let stretch = max(scale, 1)
        let support = filter.support * stretch
        let width = Int(support.rounded(.up)) * 2 + 1
        var spans: [(Int, Int)] = []
        var weights = [Int32](repeating: 0, count: wanted.count * width)
        for output in wanted {
            let centre = (Double(output) + 0.5) * scale
            let first = max(0, Int(centre - support + 0.5))
            let end = min(inputs, Int(centre + support + 0.5))
            let heights = (first..<end).map { filter.weight((Double($0) - centre + 0.5) * (1 / stretch)) }
            let total = heights.reduce(0, +)
            for (k, height) in heights.enumerated() {
                let share = (total != 0 ? height * (1 / total) : height) * Double(1 << Self.bits)
                weights[(output - wanted.lowerBound) * width + k] = Int32(share < 0 ? share - 0.5 : share + 0.5)
            }
            spans.append((first, heights.count))
        }
        (self.width, self.spans, self.weights) = (width, spans, weights)
    }

    @inline(__always)
    static func level(_ sum: Int32) -> UInt8 { UInt8(min(max(sum >> bits, 0), 255)) }
}
