import ImageData

extension ImageGrid {
    /// Images of a set that a picture has room for: one of 2²⁶ pixels can still be opened and takes 200 MB while it is made.
    static func capacity(of set: ImageSet) -> Int {
        let grid = ImageGrid(columns: 1)
        let cell = (set.height + grid.gap) * grid.scale * (set.width + grid.gap) * grid.scale
        return max(4, (1 << 26) / cell)
    }
}
