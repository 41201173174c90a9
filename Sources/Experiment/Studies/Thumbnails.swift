import Evaluation

/// Images as means of their pixels over a coarse grid, all channels kept: what is where, without detail.
enum Thumbnails {
    /// Cells to a side.
    static let side = 8

    /// Of pixels in (image, row, column, channel) order, [images, cells · channels], in levels of 0…255.
    static func matrix(_ pixels: [UInt8], height h: Int, width w: Int, channels c: Int) -> FeatureMatrix {
        let (size, side) = (h * w * c, min(side, h, w))
        precondition(size > 0 && pixels.count % size == 0, "\(pixels.count) values are no whole images of \(h)×\(w)×\(c)")
        let (count, cells) = (pixels.count / size, side * side * c)
        var sums = [Float](repeating: 0, count: count * cells)
        var members = [Float](repeating: 0, count: cells)
        func cell(_ y: Int, _ x: Int, _ channel: Int) -> Int { (y * side / h * side + x * side / w) * c + channel }
        for y in 0..<h {
            for x in 0..<w {
                for channel in 0..<c { members[cell(y, x, channel)] += 1 }
            }
        }
        for image in 0..<count {
            for y in 0..<h {
                for x in 0..<w {
                    for channel in 0..<c {
                        let value = Float(pixels[image * size + (y * w + x) * c + channel])
                        sums[image * cells + cell(y, x, channel)] += value / members[cell(y, x, channel)]
                    }
                }
            }
        }
        return FeatureMatrix(rows: count, columns: cells, values: sums)
    }
}
