import Evaluation
import Models
import TensorCore

/// A vector for every token of many images, whether looked up by index or computed for each.
struct TokenVectors {
    let rows: Int
    /// Numbers at a position.
    let width: (_ position: Int) -> Int
    /// The vector at a position of a row.
    private let vector: (_ row: Int, _ position: Int) -> ArraySlice<Float>

    /// Rows of `prologue` and `visual` [codes, z] by index; `indices` is [n, K + N].
    init(_ indices: TokenTensor, _ layout: SequenceLayout, prologue: Tensor?, visual: Tensor) {
        rows = indices.shape[0]
        let tokens = indices.shape[1]
        let tables = (prologue: prologue.map(Table.init), visual: Table(visual))
        func table(_ position: Int) -> Table {
            position < layout.prologueTokens ? tables.prologue ?? tables.visual : tables.visual
        }
        width = { table($0).width }
        vector = { row, position in table(position).row(Int(indices.ids[row * tokens + position])) }
    }

    /// Vectors of their own for every image: `prologue` [n, K, z], `visual` [n, N, z].
    init(prologue: Tensor?, visual: Tensor) {
        rows = visual.shape[0]
        let k = prologue?.shape[1] ?? 0
        let tables = (prologue: prologue.map(Table.init), visual: Table(visual))
        func part(_ position: Int) -> (table: Table, places: Int, place: Int) {
            if let prologue = tables.prologue, position < k { return (prologue, k, position) }
            return (tables.visual, visual.shape[1], position - k)
        }
        width = { part($0).table.width }
        vector = { row, position in
            let (table, places, place) = part(position)
            return table.row(row * places + place)
        }
    }

    /// Rows of a tensor.
    private struct Table {
        let values: [Float]
        let width: Int

        init(_ tensor: Tensor) { (values, width) = (tensor.values, tensor.width) }

        func row(_ index: Int) -> ArraySlice<Float> { values[index * width..<(index + 1) * width] }
    }

    /// Means over the cells of a set, concatenated, [rows, Σ width].
    func concatenated(_ set: TokenSet) -> FeatureMatrix { gathered(set.cells) }

    /// The mean over all tokens of a set, [rows, width].
    func mean(_ set: TokenSet) -> FeatureMatrix { gathered([Array(set.cells.joined())]) }

    private func gathered(_ cells: [[Int]]) -> FeatureMatrix {
        let widths = cells.map { width($0[0]) }
        let columns = widths.reduce(0, +)
        var values = [Float](repeating: 0, count: rows * columns)
        var target = 0
        for row in 0..<rows {
            for (cell, width) in zip(cells, widths) {
                for position in cell {
                    for (i, value) in vector(row, position).enumerated() { values[target + i] += value }
                }
                if cell.count > 1 { for i in 0..<width { values[target + i] /= Float(cell.count) } }
                target += width
            }
        }
        return FeatureMatrix(rows: rows, columns: columns, values: values)
    }
}

extension OneHotMatrix {
    /// The codes of the tokens of a set, which must not be pooled; `indices` is [n, K + N].
    init(_ indices: TokenTensor, _ layout: SequenceLayout, _ set: TokenSet) {
        precondition(!set.isPooled, "\(set.name): pooled tokens have no one code")
        let positions = set.cells.map { $0[0] }
        var first: [Int] = [], columns = 0
        for position in positions {
            first.append(columns)
            columns += position < layout.prologueTokens ? layout.prologueCodes : layout.visualCodes
        }
        let (rows, width) = (indices.shape[0], indices.shape[1])
        var places: [Int32] = []
        places.reserveCapacity(rows * positions.count)
        for row in 0..<rows {
            for (place, position) in positions.enumerated() {
                places.append(Int32(first[place]) + indices.ids[row * width + position])
            }
        }
        self.init(columns: columns, ones: positions.count, places: places)
    }
}

extension Tokenizer {
    /// Every code's vector: of prologue tokens [codes, z], where there are any, and of visual ones.
    func codeTables(_ layout: SequenceLayout) -> (prologue: Tensor?, visual: Tensor) {
        func ids(_ count: Int) -> TokenTensor { TokenTensor((0..<count).map(Int32.init), shape: [1, count]) }
        func flat(_ codes: Tensor) -> Tensor { codes.reshaped([codes.shape[1], codes.width]) }
        let prologue = layout.hasPrologue ? encoder.prologueCodes(ids(layout.prologueCodes)).map(flat) : nil
        return (prologue, flat(encoder.visualCodes(ids(layout.visualCodes))))
    }
}
