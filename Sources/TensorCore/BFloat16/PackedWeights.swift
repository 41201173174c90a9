import CKernels

/// A row-major matrix of bfloat16, its width even, so that neighbours in a row are pairs.
struct BFloat16Matrix {
    let rows, width: Int
    private let storage: Storage

    /// Contents are undefined.
    init(rows: Int, width: Int) {
        require(width % 2 == 0, "bfloat16 rows of \(width) are not pairs")
        (self.rows, self.width) = (rows, width)
        storage = Storage(count: (rows * width + 1) / 2)
    }

    var pointer: UnsafeMutablePointer<bfloat16> {
        UnsafeMutableRawPointer(storage.pointer).assumingMemoryBound(to: bfloat16.self)
    }

    /// The row that begins at `index`.
    func row(_ index: Int) -> UnsafeMutablePointer<bfloat16> { pointer + index * width }

    /// The row that begins at `index`, as pairs.
    func pairs(_ index: Int) -> UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(row(index)).assumingMemoryBound(to: UInt32.self)
    }

    /// Columns of zeros up to an even number.
    init(rounding x: Tensor) {
        self.init(rows: x.rows, width: Self.even(x.width))
        Parallel.rows(rows, width: width) { r in
            bf16_round(row(r.lowerBound), width, x.pointer + r.lowerBound * x.width, x.width, r.count, x.width, width)
        }
    }

    static func even(_ count: Int) -> Int { (count + 1) / 2 * 2 }
}

/// Rows of float32 weights as the right factor of products takes them: those of several tensors under one another, with
/// rows of zeros where wanted. Nothing is copied.
struct WeightRows {
    private(set) var starts: [UnsafePointer<Float>?] = []
    let width: Int
    /// What each row is multiplied with, [rows].
    private(set) var factors: Tensor?
    private var owners: [Tensor] = []

    /// - Parameter parts: [nᵢ, width] each.
    init(_ parts: Tensor...) {
        width = parts[0].width
        for part in parts { append(part, 0..<part.rows) }
    }

    /// Both halves of the rows of `weight`, each followed by a row of zeros if it needs one for an even height.
    init(halvesOf weight: Tensor) {
        width = weight.width
        let half = weight.rows / 2
        for first in [0, half] {
            append(weight, first..<first + half)
            if half % 2 == 1 { starts.append(nil) }
        }
    }

    /// The rows of `weight`, each times its entry of `factors`.
    init(_ weight: Tensor, times factors: Tensor) {
        self.init(weight)
        require(factors.count == count, "\(factors.count) factors for \(count) rows")
        self.factors = factors.detached()
    }

    /// Rows `range` of `weight`.
    init(_ weight: Tensor, _ range: Range<Int>) {
        width = weight.width
        append(weight, range)
    }

    var count: Int { starts.count }

    private mutating func append(_ part: Tensor, _ range: Range<Int>) {
        require(
            part.width == width && range.lowerBound >= 0 && range.upperBound <= part.rows,
            "rows \(range) of \(part.shape) are no rows of \(width)")
        starts += range.map { UnsafePointer(part.pointer + $0 * width) }
        owners.append(part.detached())
    }
}

/// The right factor of products, packed in panels of 64 columns.
struct PackedWeights {
    /// Columns of the product; pairs along the summed axis.
    let columns, pairs: Int
    private let storage: Storage

    private init(columns: Int, pairs: Int, pack: (_ panel: UnsafeMutablePointer<UInt32>, _ first: Int, _ count: Int) -> Void) {
        (self.columns, self.pairs) = (columns, pairs)
        let panels = (columns + Self.width - 1) / Self.width
        let size = pairs * Self.width
        storage = Storage(count: panels * size)
        let base = UnsafeMutableRawPointer(storage.pointer).assumingMemoryBound(to: UInt32.self)
        Parallel.chunks(panels) { panel in
            let first = panel * Self.width
            pack(base + panel * size, first, min(Self.width, columns - first))
        }
    }

    var bytes: Int { storage.count * MemoryLayout<Float>.stride }

    private static let width = Int(BF16_PANEL)

    /// x·wᵀ for w [columns, summed].
    init(transposing w: UnsafePointer<bfloat16>, stride: Int, columns: Int, summed: Int) {
        self.init(columns: columns, pairs: (summed + 1) / 2) { panel, first, count in
            bf16_pack_columns(panel, w + first * stride, stride, count, summed)
        }
    }

    /// x·w for w [summed, columns].
    init(_ w: UnsafePointer<bfloat16>, stride: Int, summed: Int, columns: Int) {
        self.init(columns: columns, pairs: (summed + 1) / 2) { panel, first, count in
            bf16_pack_rows(panel, w + first, stride, summed, count)
        }
    }

    init(transposing w: BFloat16Matrix) {
        self.init(transposing: w.pointer, stride: w.width, columns: w.rows, summed: w.width)
    }

    init(_ w: BFloat16Matrix) { self.init(w.pointer, stride: w.width, summed: w.rows, columns: w.width) }

    /// x·wᵀ for weights [columns, summed], rounded.
    init(transposing w: WeightRows) {
        require(w.factors == nil, "rows times factors are packed as rows only")
        self = w.starts.withUnsafeBufferPointer { starts in
            nonisolated(unsafe) let starts = starts.baseAddress!
            return PackedWeights(columns: w.count, pairs: (w.width + 1) / 2) { panel, first, count in
                bf16_pack_weight_columns(panel, starts + first, count, w.width)
            }
        }
    }

    /// x·w for weights [summed, columns], rounded; a column of zeros where that makes their number even.
    init(_ w: WeightRows) {
        self = w.starts.withUnsafeBufferPointer { starts in
            nonisolated(unsafe) let starts = starts.baseAddress!
            return PackedWeights(columns: BFloat16Matrix.even(w.width), pairs: (w.count + 1) / 2) { panel, first, count in
                bf16_pack_weight_rows(
                    panel, starts, w.factors?.pointer, first, w.count, min(count, w.width - first))
            }
        }
    }

    private func operands(_ a: UnsafePointer<bfloat16>, _ stride: Int) -> bf16_product_operands {
        require(stride % 2 == 0, "rows \(stride) apart are not made of pairs")
        var operands = bf16_product_operands()
        operands.a = UnsafeRawPointer(a).assumingMemoryBound(to: UInt32.self)
        (operands.a_row, operands.a_pair) = (stride / 2, 1)
        operands.b = UnsafeRawPointer(storage.pointer).assumingMemoryBound(to: UInt32.self)
        (operands.b_pair, operands.b_panel) = (Self.width, pairs * Self.width)
        return operands
    }

    /// c [rows, columns] = a·B + bias on this thread; rows of a `stride` apart, of c `rowOfC` (default: the columns).
    /// Fewer columns, or fewer pairs of the summed axis, may be asked for.
    func multiply(
        _ a: UnsafePointer<bfloat16>, stride: Int, rows: Int, bias: UnsafePointer<Float>? = nil,
        into c: UnsafeMutablePointer<Float>, rowOfC: Int? = nil, columns: Int? = nil, pairs: Int? = nil
    ) {
        var operands = operands(a, stride)
        (operands.bias, operands.c, operands.c_row) = (bias, c, rowOfC ?? columns ?? self.columns)
        Profile.count(rows, columns ?? self.columns, 2 * (pairs ?? self.pairs))
        bf16_product(operands, rows, columns ?? self.columns, pairs ?? self.pairs)
    }

    /// The same, rounded.
    func multiply(
        _ a: UnsafePointer<bfloat16>, stride: Int, rows: Int, bias: UnsafePointer<Float>? = nil,
        rounding c: UnsafeMutablePointer<bfloat16>, rowOfC: Int? = nil, columns: Int? = nil, pairs: Int? = nil
    ) {
        var operands = operands(a, stride)
        (operands.bias, operands.rounded, operands.c_row) = (bias, c, rowOfC ?? columns ?? self.columns)
        Profile.count(rows, columns ?? self.columns, 2 * (pairs ?? self.pairs))
        bf16_product(operands, rows, columns ?? self.columns, pairs ?? self.pairs)
    }
}

/// dW [columns of a, columns of b] (+)= aᵀ·b over all rows, columns of a in parallel: no sum is split.
func outerProduct(
    _ dw: UnsafeMutablePointer<Float>, _ a: UnsafePointer<bfloat16>, stride: Int, columns: Int, _ b: BFloat16Matrix,
    columnsOfB: Int? = nil, accumulates: Bool
) {
    let width = columnsOfB ?? b.width
    Profile.count(columns, width, b.rows)
    // Multiples of the 48 columns that the kernel packs at once.
    let size = ((columns + Parallel.threads - 1) / Parallel.threads + 47) / 48 * 48
    Parallel.chunks((columns + size - 1) / size) { part in
        let first = part * size
        bf16_outer(
            dw + first * width, width, a + first, stride, b.pointer, b.width, min(size, columns - first), width, b.rows,
            accumulates ? 1 : 0)
    }
}

/// Rows are worked on in tiles that stay in a core's cache from one product to the next. They follow from the rows alone,
/// so sums over tiles do not depend on threads.
struct Tiles {
    let rows, count: Int
    /// Rows that a product takes at a time.
    private static let block = 6

    /// As few tiles as have up to 96 rows, each of which reads all of a weight; but a multiple of 8 where they are not
    /// made too small by it, so that 2, 4 or 8 threads finish together.
    init(rows: Int) {
        self.rows = rows
        let least = (rows + 95) / 96
        count = [8, 4, 2, 1].map { (least + $0 - 1) / $0 * $0 }.first { rows >= 48 * $0 } ?? min(rows, 1)
    }

    /// The first row of a tile: blocks are shared out evenly.
    private func first(_ tile: Int) -> Int {
        let blocks = (rows + Self.block - 1) / Self.block
        return min(rows, tile * blocks / count * Self.block)
    }

    func forEach(_ body: (_ tile: Int, _ first: Int, _ rows: Int) -> Void) {
        Parallel.chunks(count) { body($0, first($0), first($0 + 1) - first($0)) }
    }
}

/// Sums that chunks collect each for themselves, added up in order afterwards.
struct PartialSums {
    private let storage: Storage
    private let parts, width: Int

    init(parts: Int, width: Int) {
        (self.parts, self.width) = (parts, width)
        storage = Storage(count: parts * width)
        storage.pointer.update(repeating: 0, count: parts * width)
    }

    /// Zeroed memory of one part.
    func part(_ index: Int) -> UnsafeMutablePointer<Float> { storage.pointer + index * width }

    /// The sum of columns `range` over all parts.
    func total(_ range: Range<Int>, into sum: UnsafeMutablePointer<Float>, accumulates: Bool) {
        if !accumulates { sum.update(repeating: 0, count: range.count) }
        for index in 0..<parts { add_into(sum, part(index) + range.lowerBound, range.count) }
    }

    /// The same, added to a slot of as many elements.
    func add(_ range: Range<Int>, to slot: Int?, shape: Shape, _ tape: Tape) {
        guard let slot else { return }
        tape.accumulate(slot, shape: shape) { total(range, into: $0.pointer, accumulates: $1) }
    }
}
