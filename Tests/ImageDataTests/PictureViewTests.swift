import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// Squares cut from pictures, against Pillow's resizing and numpy's slices.
@Suite struct PictureViewTests {
    /// The centre crop of ADM's evaluation, a random crop at given shares, and ten crops; prints all of them.
    private static let peer = """
        import sys, numpy as np
        from PIL import Image
        path, size, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
        edge, down, right = int(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6])
        rng = np.random.default_rng(int(sys.argv[7]) * 1000 + int(sys.argv[8]))
        picture = Image.fromarray(rng.integers(0, 256, (int(sys.argv[7]), int(sys.argv[8]), 3), dtype=np.uint8)).convert(mode)
        picture.save(path)

        # Along the rows first: recent versions of Pillow choose the order by cost.
        def resize(image, size, filter):
            return image.resize((size[0], image.size[1]), resample=filter).resize(size, resample=filter)

        def scaled(image, edge):
            while min(*image.size) >= 2 * edge:
                image = resize(image, tuple(x // 2 for x in image.size), Image.BOX)
            scale = edge / min(*image.size)
            return np.array(resize(image, tuple(round(x * scale) for x in image.size), Image.BICUBIC))

        def centre(image, size):
            a = scaled(image, size)
            y, x = (a.shape[0] - size) // 2, (a.shape[1] - size) // 2
            return a[y:y + size, x:x + size]

        a = scaled(picture, edge)
        y, x = int(down * (a.shape[0] - size + 1)), int(right * (a.shape[1] - size + 1))
        crops = [centre(picture, size), a[y:y + size, x:x + size]]
        large = centre(picture, (11 * size + 5) // 10)
        rest = len(large) - size
        middle = int(round(rest / 2.0))
        five = [large[y:y + size, x:x + size]
                for y, x in [(middle, middle), (0, 0), (0, rest), (rest, 0), (rest, rest)]]
        crops += five + [c[:, ::-1] for c in five]
        for c in crops: print(*c.ravel())
        """

    @Test(arguments: [
        (40, 40, 16, "RGB"), (37, 53, 16, "RGB"), (90, 33, 17, "L"), (9, 13, 32, "RGB"), (20, 20, 21, "L"), (16, 200, 16, "RGB"),
        (64, 63, 63, "RGB"), (301, 257, 32, "RGB"), (16, 16, 16, "RGB"),
    ])
    func cropsAreThoseOfPillowBitForBit(_ height: Int, _ width: Int, _ size: Int, _ mode: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("a.png")
            let (edge, down, right) = (size + 3, 0.875, 0.3125)
            let lines = try python(
                Self.peer, url.path, "\(size)", mode, "\(edge)", "\(down)", "\(right)", "\(height)", "\(width)"
            ).split(separator: "\n")
            try #require(lines.count == 12)
            let picture = try PNG.read(url)
            let views = [PictureView(), PictureView(.random(edge: edge, down: down, right: right))] + PictureView.ten
            for (view, line) in zip(views, lines) {
                let square = picture.square(size, view)
                let expected = line.split(separator: " ").compactMap { UInt8($0) }
                #expect(square.height == size && square.width == size)
                let isEqual = square.pixels == expected
                #expect(isEqual, "\(view) of \(height)×\(width)")
            }
        }
    }

    @Test func randomCropsCoverTheShareThatIsAskedFor() {
        #expect(PictureView.edges(side: 256, smallest: 0.8) == 256...320)
        #expect(PictureView.edges(side: 32, smallest: 1) == 32...32)
        let picture = Picture(height: 40, width: 60, channels: 1, pixels: (0..<2400).map { UInt8($0 / 60 * 4) })
        // The topmost and lowest places that can be drawn.
        for (share, edge) in [(0.0, 40), (0.999, 40), (0.999, 20)] {
            let square = picture.square(20, PictureView(.random(edge: edge, down: share, right: share)))
            #expect(square.pixels.count == 400)
        }
        #expect(picture.square(20, PictureView(.random(edge: 40, down: 0.999, right: 0))).pixels[399] == 39 * 4)
    }
}

@Suite struct PrefetcherTests {
    struct Failure: Error {}

    /// Items come in order and are those of their step, whatever is ahead and wherever one starts.
    @Test(arguments: [0, 1, 3])
    func itemsAreThoseOfTheirStep(_ ahead: Int) throws {
        let prefetcher = Prefetcher(ahead: ahead, end: 50) { step in step * step }
        for step in 7..<50 { #expect(try prefetcher.item(step) == step * step) }
        // From another step on, as after an interruption.
        for step in [3, 4, 20, 21, 22, 0] { #expect(try prefetcher.item(step) == step * step) }
    }

    /// No more than `ahead` items are made before they are asked for.
    @Test func itemsAheadAreBounded() throws {
        let made = Counter()
        let prefetcher = Prefetcher(ahead: 2, end: 100) { step in
            made.add()
            return step
        }
        for step in 0..<10 {
            _ = try prefetcher.item(step)
            // One may be under way besides those that wait.
            #expect(made.count <= step + 1 + 3, "step \(step): \(made.count)")
        }
        let before = made.count
        for _ in 0..<20 where made.count < 12 { usleep(10_000) }
        #expect(made.count >= before && made.count <= 13)
    }

    @Test(arguments: [0, 2])
    func failuresComeAtTheirStep(_ ahead: Int) throws {
        let prefetcher = Prefetcher(ahead: ahead, end: 10) { step in
            if step == 4 { throw Failure() }
            return step
        }
        for step in 0..<4 { #expect(try prefetcher.item(step) == step) }
        #expect(throws: Failure.self) { try prefetcher.item(4) }
        #expect(throws: Failure.self, "and again, rather than wait for ever") { try prefetcher.item(4) }
        #expect(try prefetcher.item(5) == 5)
    }

    private final class Counter: @unchecked Sendable {
        private let lock = NSLock()
        private var value = 0
        func add() { lock.withLock { value += 1 } }
        var count: Int { lock.withLock { value } }
    }
}
