import CKernels

/// Bilinear resizing without antialiasing or aligned corners, pixel i of the output read at i·in/out, as TensorFlow 1
/// does by default; [B, H, W, C] → [B, height, width, C].
public func bilinearResize(_ x: Tensor, height: Int, width: Int) -> Tensor {
    require(x.rank == 4 && height > 0 && width > 0, "bilinearResize: \(x.shape) to \(height)×\(width)")
    if let program = Program.tracing(x) { return program.bilinearResize(x, height: height, width: width) }
    let (batch, inHeight, inWidth, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let y = Tensor(uninitialized: [batch, height, width, channels])
    let (inSize, outSize) = (x.count / batch, y.count / batch)
    Parallel.chunks(batch) { b in
        bilinear_forward(
            y.pointer + b * outSize, x.pointer + b * inSize, inHeight, inWidth, channels, height, width)
    }
    let (slot, shape) = (x.slot, x.shape)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor.zeros(shape)
        Parallel.chunks(batch) { b in
            bilinear_backward(
                dx.pointer + b * inSize, dy.pointer + b * outSize, inHeight, inWidth, channels, height, width)
        }
        tape.add(dx, to: slot)
    }
}

/// Bilinear resizing with antialiasing, as PyTorch's `interpolate(mode: bilinear, antialias: true)`: a triangle around the middle of
/// each output pixel, as wide as two input pixels, or two output pixels where these are wider; [B, H, W, C] → [B, height, width, C].
public func antialiasedResize(_ x: Tensor, height: Int, width: Int) -> Tensor {
    require(x.rank == 4 && height > 0 && width > 0, "antialiasedResize: \(x.shape) to \(height)×\(width)")
    let (batch, inHeight, inWidth, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let (rows, columns) = (ResampledAxis(from: inHeight, to: height), ResampledAxis(from: inWidth, to: width))
    if let program = Program.tracing(x) { return program.antialiasedResize(x, rows, columns) }
    let narrow = columns.applied(to: x, outer: batch * inHeight, inner: channels)
    let y = rows.applied(to: narrow, outer: batch, inner: width * channels).reshaped([batch, height, width, channels])
    let (slot, shape) = (x.slot, x.shape)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dNarrow = rows.transposeApplied(to: dy, outer: batch, inner: width * channels)
        tape.add(columns.transposeApplied(to: dNarrow, outer: batch * inHeight, inner: channels).reshaped(shape), to: slot)
    }
}

/// What each output pixel along one axis is made of: shares of neighbouring input pixels, whose sum is 1.
struct ResampledAxis {
    let input, output: Int
    private(set) var starts: [Int32] = []
    private(set) var counts: [Int32] = []
    /// `taps` for each output pixel, of which it uses its count.
    private(set) var shares: [Float] = []
    let taps: Int

    init(from input: Int, to output: Int) {
        (self.input, self.output) = (input, output)
        let scale = Double(input) / Double(output)
        let support = max(scale, 1)
        taps = 2 * Int(support.rounded(.up)) + 1
        for i in 0..<output {
            let centre = scale * (Double(i) + 0.5)
            let low = max(0, Int(centre - support + 0.5))
            let high = min(input, Int(centre + support + 0.5))
            let triangle = (low..<high).map { max(0, 1 - abs((Double($0) + 0.5 - centre) / support)) }
            let sum = triangle.reduce(0, +)
            starts.append(Int32(low))
            counts.append(Int32(high - low))
            shares += triangle.map { Float($0 / sum) } + [Float](repeating: 0, count: taps - triangle.count)
        }
    }

    /// Along the middle axis of [outer, input, inner].
    func applied(to x: Tensor, outer: Int, inner: Int) -> Tensor {
        let y = Tensor(uninitialized: [outer, output, inner])
        Parallel.rows(outer, width: output * inner) { r in
            for o in r {
                resample_forward(
                    y.pointer + o * output * inner, x.pointer + o * input * inner, starts, counts, shares, taps, input, output, inner)
            }
        }
        return y
    }

    /// The gradient's way back: along the middle axis of [outer, output, inner].
    func transposeApplied(to dy: Tensor, outer: Int, inner: Int) -> Tensor {
        let dx = Tensor.zeros([outer, input, inner])
        Parallel.rows(outer, width: output * inner) { r in
            for o in r {
                resample_backward(
                    dx.pointer + o * input * inner, dy.pointer + o * output * inner, starts, counts, shares, taps, input, output, inner)
            }
        }
        return dx
    }

    /// The same as a matrix [output, input].
    var matrix: [Float] {
        var matrix = [Float](repeating: 0, count: output * input)
        for i in 0..<output {
            for k in 0..<Int(counts[i]) { matrix[i * input + Int(starts[i]) + k] = shares[i * taps + k] }
        }
        return matrix
    }
}

/// Patches in raster order (inside a patch row, column, channel; method §3.1) as images;
/// [B, rows·columns, patch·patch·C] → [B, rows·patch, columns·patch, C].
public func imagesFromPatches(_ x: Tensor, rows: Int, columns: Int, patch: Int) -> Tensor {
    require(
        x.rank == 3 && x.shape[1] == rows * columns && x.width % (patch * patch) == 0,
        "imagesFromPatches: \(x.shape) is not \(rows)×\(columns) patches of side \(patch)")
    if let program = Program.tracing(x) { return program.imagesFromPatches(x, rows: rows, columns: columns, patch: patch) }
    let (batch, run) = (x.shape[0], x.width / patch)
    // Runs of patch·C numbers are whole in both; run j of patch row r, patch column c ↔ row r·patch + j, column c·patch.
    func moved(_ from: Tensor, to shape: Shape, fromPatches: Bool) -> Tensor {
        let to = Tensor(uninitialized: shape)
        Parallel.chunks(batch * rows) { band in
            for column in 0..<columns {
                for j in 0..<patch {
                    let inPatches = ((band * columns + column) * patch + j) * run
                    let inImage = ((band * patch + j) * columns + column) * run
                    let (source, target) = fromPatches ? (inPatches, inImage) : (inImage, inPatches)
                    (to.pointer + target).update(from: from.pointer + source, count: run)
                }
            }
        }
        return to
    }
    let shape = [batch, rows * patch, columns * patch, run / patch]
    let (slot, patches) = (x.slot, x.shape)
    return Tape.record(moved(x, to: shape, fromPatches: true), from: [x]) { dy, tape in
        if let slot { tape.add(moved(dy, to: patches, fromPatches: false), to: slot) }
    }
}

/// Tensors of equal [B, H, W] side by side along the last axis: the channels of one after those of the other.
public func concatChannels(_ parts: [Tensor]) -> Tensor {
    let leading = Array(parts[0].shape.dropLast())
    require(
        parts.allSatisfy { $0.shape.dropLast() == leading[...] },
        "concatChannels: shapes \(parts.map(\.shape)) differ before the last axis")
    if let program = Program.tracing(parts) { return program.concatChannels(parts) }
    let (rows, widths) = (parts[0].rows, parts.map(\.width))
    let offsets = widths.indices.map { widths[..<$0].reduce(0, +) }
    let width = widths.reduce(0, +)
    let y = Tensor(uninitialized: leading + [width])
    Parallel.rows(rows, width: width) { range in
        for (part, offset) in zip(parts, offsets) {
            for row in range {
                (y.pointer + row * width + offset).update(from: part.pointer + row * part.width, count: part.width)
            }
        }
    }
    let (slots, shapes) = (parts.map(\.slot), parts.map(\.shape))
    return Tape.record(y, from: parts) { dy, tape in
        for i in slots.indices {
            guard let slot = slots[i] else { continue }
            let dx = Tensor(uninitialized: shapes[i])
            Parallel.rows(rows, width: widths[i]) { range in
                for row in range {
                    (dx.pointer + row * widths[i]).update(
                        from: dy.pointer + row * width + offsets[i], count: widths[i])
                }
            }
            tape.add(dx, to: slot)
        }
    }
}

/// The last two axes exchanged: [..., m, n] → [..., n, m].
public func transposed(_ x: Tensor) -> Tensor {
    require(x.rank >= 2, "transposed: \(x.shape) has no two axes")
    if let program = Program.tracing(x) { return program.transposed(x) }
    func moved(_ from: Tensor) -> Tensor {
        let (m, n) = (from.shape[from.rank - 2], from.width)
        let to = Tensor(uninitialized: from.shape.dropLast(2) + [n, m])
        Parallel.ranges(from.count / max(1, m * n), grain: max(1, 16384 / max(1, m * n))) { range in
            for base in range.map({ $0 * m * n }) {
                for i in 0..<m { for j in 0..<n { to.pointer[base + j * m + i] = from.pointer[base + i * n + j] } }
            }
        }
        return to
    }
    let slot = x.slot
    return Tape.record(moved(x), from: [x]) { dy, tape in
        if let slot { tape.add(moved(dy), to: slot) }
    }
}

/// The first `count` channels of x [..., C] → [..., count].
public func firstChannels(_ x: Tensor, _ count: Int) -> Tensor {
    require(count > 0 && count <= x.width, "firstChannels: \(count) of \(x.shape)")
    if let program = Program.tracing(x) { return program.firstChannels(x, count) }
    let y = Tensor(uninitialized: x.shape.dropLast() + [count])
    for row in 0..<x.rows { (y.pointer + row * count).update(from: x.pointer + row * x.width, count: count) }
    let (slot, shape) = (x.slot, x.shape)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor.zeros(shape)
        for row in 0..<dx.rows { (dx.pointer + row * dx.width).update(from: dy.pointer + row * count, count: count) }
        tape.add(dx, to: slot)
    }
}
