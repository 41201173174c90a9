/// Means of the first `channels` channels of x [B, H, W, C] over a grid of cells → [B, rows·columns·channels] in the order row,
/// column, channel. Cell i of g along an axis of n covers ⌊i·n/g⌋ ..< ⌈(i+1)·n/g⌉.
public func cellMeans(_ x: Tensor, rows: Int, columns: Int, channels: Int) -> Tensor {
    require(x.rank == 4 && channels <= x.width, "cellMeans: \(channels) channels of \(x.shape)")
    func cell(_ i: Int, of cells: Int, _ length: Int) -> Range<Int> {
        i * length / cells..<((i + 1) * length + cells - 1) / cells
    }
    if let program = Program.tracing(x) {
        return program.cellMeans(x, rows: rows, columns: columns, channels: channels, cell: cell)
    }
    let (batch, height, width) = (x.shape[0], x.shape[1], x.shape[2])
    let result = Tensor(uninitialized: [batch, rows * columns * channels])
    var place = result.pointer
    for image in 0..<batch {
        for row in 0..<rows {
            let ys = cell(row, of: rows, height)
            for column in 0..<columns {
                let xs = cell(column, of: columns, width)
                for channel in 0..<channels {
                    var sum: Float = 0
                    for y in ys {
                        for x0 in xs { sum += x.pointer[((image * height + y) * width + x0) * x.width + channel] }
                    }
                    place.pointee = sum / Float(ys.count * xs.count)
                    place += 1
                }
            }
        }
    }
    return result
}
