import CKernels

/// The window that a convolution or a pool moves over images [B, H, W, C].
public struct Window: Equatable, Sendable {
    public var height, width, stride: Int
    /// Rows and columns around the image that hold nothing.
    public var top, left, bottom, right: Int

    public init(
        height: Int, width: Int, stride: Int = 1, top: Int = 0, left: Int = 0, bottom: Int = 0, right: Int = 0
    ) {
        require(
            height > 0 && width > 0 && stride > 0 && min(top, left, bottom, right) >= 0,
            "window of \(height)×\(width), stride \(stride), padding \(top) \(left) \(bottom) \(right)")
        (self.height, self.width, self.stride) = (height, width, stride)
        (self.top, self.left, self.bottom, self.right) = (top, left, bottom, right)
    }

    /// A square window with the same padding on all sides.
    public init(_ size: Int, stride: Int = 1, padding: Int = 0) {
        self.init(
            height: size, width: size, stride: stride, top: padding, left: padding, bottom: padding, right: padding)
    }

    /// Height and width that remain of an image.
    public func output(height: Int, width: Int) -> (height: Int, width: Int) {
        // Swift's division rounds towards zero: what is smaller than the window leaves nothing.
        let (rows, columns) = (height + top + bottom - self.height, width + left + right - self.width)
        return (rows < 0 ? 0 : rows / stride + 1, columns < 0 ? 0 : columns / stride + 1)
    }

    /// For the kernels, over images of `shape` [B, H, W, C].
    func over(_ shape: Shape, op: String) -> image_window {
        require(shape.count == 4, "\(op): \(shape) is not [B, H, W, C]")
        let out = output(height: shape[1], width: shape[2])
        require(out.height > 0 && out.width > 0, "\(op): window \(height)×\(width) is larger than \(shape)")
        return image_window(
            height: shape[1], width: shape[2], channels: shape[3], kernel_height: height, kernel_width: width,
            stride: stride, top: top, left: left, out_height: out.height, out_width: out.width)
    }
}

/// 2-D convolution with zero padding; x [B, H, W, C], weight [out, height, width, C] of the window (the last three
/// axes may be one), bias [out] → [B, H', W', out].
public func conv2d(_ x: Tensor, weight: Tensor, bias: Tensor? = nil, window: Window) -> Tensor {
    let output = weight.shape[0]
    let depth = window.height * window.width * x.width
    require(
        x.rank == 4 && weight.count == output * depth && (bias?.count ?? output) == output,
        "conv2d: x \(x.shape), weight \(weight.shape), bias \(bias?.shape ?? []) and a window of "
            + "\(window.height)×\(window.width) do not fit")
    let geometry = window.over(x.shape, op: "conv2d")
    if let program = Program.tracing(x, weight, bias) { return program.conv2d(x, weight: weight, bias: bias, window: window) }
    let y = Tensor(uninitialized: [x.shape[0], geometry.out_height, geometry.out_width, output])
    let columns = ColumnGroups(images: x.shape, geometry)
    // A single group's columns are kept for the gradient; otherwise they are made again, which costs less than memory.
    var kept: Storage?
    for group in columns.groups {
        let made = columns.make(group, from: x)
        if columns.groups.count == 1 { kept = made }
        let rows = columns.rows(group)
        let out = y.pointer + rows.lowerBound * output
        MatrixProduct.parallel(
            out, made.pointer, weight.pointer, m: rows.count, n: output, k: depth, transposeB: true,
            accumulates: bias != nil,
            before: bias.map { bias in
                { rows in fill_rows(out + rows.lowerBound * output, bias.pointer, rows.count, output) }
            })
    }

    // With X the columns of x: dX = dy·W, dW = dyᵀ·X, db = Σ dy
    let (xSlot, weightSlot, biasSlot) = (x.slot, weight.slot, bias?.slot)
    let (x0, weight0) = (x.detached(), weight.detached())
    if weightSlot == nil { kept = nil }
    let columnsOfOnlyGroup = kept
    return Tape.record(y, from: [x, weight] + (bias.map { [$0] } ?? [])) { dy, tape in
        if let xSlot {
            let dx = Tensor.zeros(x0.shape)
            for group in columns.groups {
                let rows = columns.rows(group)
                let dColumns = Storage(count: rows.count * depth)
                MatrixProduct.parallel(
                    dColumns.pointer, dy.pointer + rows.lowerBound * output, weight0.pointer, m: rows.count, n: depth,
                    k: output)
                columns.add(dColumns, of: group, to: dx)
            }
            tape.add(dx, to: xSlot)
        }
        if let weightSlot {
            tape.accumulate(weightSlot, shape: weight0.shape) { dw, accumulates in
                for group in columns.groups {
                    let rows = columns.rows(group)
                    let made = columnsOfOnlyGroup ?? columns.make(group, from: x0)
                    MatrixProduct.parallel(
                        dw.pointer, dy.pointer + rows.lowerBound * output, made.pointer, m: output, n: depth,
                        k: rows.count, transposeA: true, accumulates: accumulates || group.lowerBound > 0)
                }
            }
        }
        if let biasSlot {
            tape.accumulate(biasSlot, shape: [output]) { db, accumulates in
                Parallel.rowSums(rows: dy.rows, width: output, into: db.pointer, accumulates: accumulates) { sum, rows in
                    add_row_sum(sum, dy.pointer + rows.lowerBound * output, rows.count, output)
                }
            }
        }
    }
}

/// The windows of a batch of images as rows of a matrix, a group of images at a time so that memory stays bounded.
private struct ColumnGroups {
    /// Floats that the columns of a group may take, unless one image needs more.
    static let limit = 1 << 24

    let geometry: image_window
    let groups: [Range<Int>]
    private let imageSize: Int
    private let rowsPerImage: Int
    private let depth: Int

    init(images shape: Shape, _ geometry: image_window) {
        self.geometry = geometry
        imageSize = shape[1] * shape[2] * shape[3]
        rowsPerImage = geometry.out_height * geometry.out_width
        depth = geometry.kernel_height * geometry.kernel_width * geometry.channels
        let (batch, size) = (shape[0], max(1, min(shape[0], Self.limit / (rowsPerImage * depth))))
        groups = stride(from: 0, to: batch, by: size).map { $0..<min(batch, $0 + size) }
    }

    /// Rows of the product that belong to a group.
    func rows(_ group: Range<Int>) -> Range<Int> {
        group.lowerBound * rowsPerImage..<group.upperBound * rowsPerImage
    }

    func make(_ group: Range<Int>, from x: Tensor) -> Storage {
        let columns = Storage(count: group.count * rowsPerImage * depth)
        let outHeight = geometry.out_height
        Parallel.ranges(group.count * outHeight, grain: max(1, 4096 / (geometry.out_width * depth))) { range in
            // Rows of one image at a time.
            var row = range.lowerBound
            while row < range.upperBound {
                let (image, first) = (row / outHeight, row % outHeight)
                let count = min(outHeight - first, range.upperBound - row)
                im2col(
                    columns.pointer + row * geometry.out_width * depth,
                    x.pointer + (group.lowerBound + image) * imageSize, geometry, first, count)
                row += count
            }
        }
        return columns
    }

    /// Adds the gradient of a group's columns to that of its images.
    func add(_ columns: Storage, of group: Range<Int>, to dx: Tensor) {
        Parallel.chunks(group.count) { image in
            col2im(
                dx.pointer + (group.lowerBound + image) * imageSize, columns.pointer + image * rowsPerImage * depth,
                geometry)
        }
    }
}
