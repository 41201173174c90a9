import ImageData

extension ImageGrid {
    /// Images of a set that a picture has room for: one of 2²⁶ pixels can still be opened and takes 200 MB while it is made.
    package static func capacity(of set: ImageSet) -> Int {
        let grid = ImageGrid(columns: 1)
        let cell = (set.height + grid.gap) * grid.scale * (set.width + grid.gap) * grid.scale
        return max(4, (1 << 26) / cell)
    }

    /// Rows of one class each, from the first class on, and images in a row, for a sheet of as many samples: at most eight in a row,
    /// and no more than a picture has room for.
    package static func sheet(of count: Int, like set: ImageSet) -> (rows: Int, columns: Int) {
        let classes = set.classNames.count
        let columns = min(8, max(1, count / classes))
        return (min(classes, count, max(1, capacity(of: set) / columns)), columns)
    }
}
