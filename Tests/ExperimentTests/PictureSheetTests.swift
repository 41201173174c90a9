import Experiment
import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// Sheets of pictures stay such that they can be opened, however many classes and however large the images.
@Suite struct PictureSheetTests {
    private func set(classes: Int, side: Int) -> ImageSet {
        ImageSet(
            name: "none", height: side, width: side, channels: 3, pixels: [], labels: [], classNames: (0..<classes).map { "class \($0)" })
    }

    /// Rows are classes, which there are samples of, and all of a sheet stays below 2²⁶ pixels where four images do.
    @Test(arguments: [(1000, 256, 50_000), (1000, 256, 1000), (1000, 256, 600), (1000, 1024, 8000), (10, 28, 2000), (3, 256, 2)])
    func sheetsAreBounded(_ classes: Int, _ side: Int, _ count: Int) {
        let (rows, columns) = ImageGrid.sheet(of: count, like: set(classes: classes, side: side))
        #expect(rows >= 1 && rows <= classes && (1...8).contains(columns) && (rows - 1) + (columns - 1) * classes < count)
        #expect(rows * columns * 9 * (side + 2) * (side + 2) <= max(1 << 26, 8 * 9 * (side + 2) * (side + 2)))
    }

    /// Pillow warns of pictures above 89 million pixels and refuses those of twice that.
    @Test func theLargestSheetCanBeOpened() throws {
        let set = set(classes: 1000, side: 256)
        let (rows, columns) = ImageGrid.sheet(of: 50_000, like: set)
        let grid = ImageGrid(columns: columns, rowLabels: set.classNames, title: "samples")
        let picture = grid.picture([UInt8](repeating: 9, count: rows * columns * 256 * 256 * 3), height: 256, width: 256, channels: 3)
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("sheet.png")
            try PNG.write(picture, to: file)
            let size = try python(
                """
                import sys, warnings
                from PIL import Image
                warnings.simplefilter("error")
                image = Image.open(sys.argv[1]); image.load(); print(*image.size)
                """, file.path)
            #expect(size == "\(picture.width) \(picture.height)")
        }
    }

    /// As many as there are, where they fit.
    @Test func smallSheetsAreWhole() {
        #expect(ImageGrid.sheet(of: 2000, like: set(classes: 10, side: 28)) == (10, 8))
        #expect(ImageGrid.sheet(of: 25, like: set(classes: 10, side: 28)) == (10, 2))
        #expect(ImageGrid.sheet(of: 4, like: set(classes: 10, side: 28)) == (4, 1))
    }
}
