import StableHLO

/// Sums of rows that have one index: the gradient of a lookup.
///
/// Where a device's threads add rows up as they come, sums differ from run to run, and compilers that are asked for equal ones sort
/// single numbers. Here rows are sorted by their indices, so that those of one index are a run. In tiles of rows a product with zeros and
/// ones leaves the sum of each run in its first row; what runs have in the tiles behind that in which they begin is added by another such
/// product. Then no row has another's index.
extension Node {
    /// Rows of a tile: enough for a product, few enough that its zeros cost nothing beside moving the rows.
    private static let tile = 128

    /// Sums rows [n, width] by `indices` [n] into `count` rows.
    func summed(by indices: Node, count: Int) -> Node {
        let (rows, width) = (shape[0], shape[1])
        let size = min(Self.tile, rows)
        let tiles = (rows + size - 1) / size
        let sorted = Self.sorted([indices, program.iota([rows], .i32, axis: 0)], axis: 0)
        // What fills the last tile up has an index beyond all, and comes to nothing.
        func filled(_ x: Node, with number: Int) -> Node {
            x.padded(with: Double(number), low: [0], high: [tiles * size - rows])
        }
        let index = filled(sorted[0], with: count)
        let x = self.rows(filled(sorted[1], with: 0)).reshaped([tiles, size, width])
        /// Whether a row's index is not that of the row before, along the last axis.
        func begins(_ index: Node) -> Node {
            let (axis, start) = (index.rank - 1, index.shape.dropLast() + [1])
            let before = index.sliced(axis, 0..<index.width - 1)
            return index.compare(.notEqual, Self.concatenated([program.constant(-1, Array(start), .i32), before], axis: axis))
        }
        let inTile = index.reshaped([tiles, size])
        let (beginsRun, beginsInTile) = (begins(index), begins(inTile))

        let square = [tiles, size, size]
        let mask = inTile.broadcast(to: square, axes: [0, 1]).compare(.equal, inTile.broadcast(to: square, axes: [0, 2]))
            .and(beginsInTile.broadcast(to: square, axes: [0, 1]))
        var sums = mask.wide.dot(x, ([2], [1]), batch: ([0], [0]))
        if tiles > 1 {
            let goesOn = beginsRun.reshaped([tiles, size]).sliced(1, 0..<1).reshaped([tiles]).apply(.not)
            let (first, last) = (inTile.sliced(1, 0..<1).reshaped([tiles]), inTile.sliced(1, size - 1..<size).reshaped([tiles]))
            // The tile in which its last run begins, and those in which that goes on.
            let beginsLast = goesOn.and(first.compare(.equal, last)).apply(.not)
            let pairs = [tiles, tiles]
            let isBehind = program.iota(pairs, .i32, axis: 1).compare(.greater, program.iota(pairs, .i32, axis: 0))
            let carries = last.broadcast(to: pairs, axes: [0]).compare(.equal, first.broadcast(to: pairs, axes: [1]))
                .and(beginsLast.broadcast(to: pairs, axes: [0])).and(isBehind)
            let carried = carries.wide.times(sums.sliced(1, 0..<1).reshaped([tiles, width]))
            let isLast = beginsInTile.and(inTile.compare(.equal, last.broadcast(to: inTile.shape, axes: [0])))
            sums = sums + isLast.broadcast(to: sums.shape, axes: [0, 1]).select(carried.broadcast(to: sums.shape, axes: [0, 2]), 0)
        }
        let nowhere = program.iota([tiles * size], .i32, axis: 0) + Double(count)
        return sums.reshaped([tiles * size, width]).placed(at: beginsRun.select(index, nowhere), count: count)
    }
}
