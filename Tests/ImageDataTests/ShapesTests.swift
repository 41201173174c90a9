import Files
import Foundation
import ImageData
import TestSupport
import Testing

@Suite struct ShapesTests {
    @Test(arguments: [1 << 40, 1 << 52, Int.max - 1])
    func moreImagesThanThereIsMemoryForAreRefused(count: Int) throws {
        let error = #expect(throws: InputError.self) { try Shapes.generate(imageSize: 16, train: count, test: 2, seed: 0) }
        let complaint = "\(error.map { "\($0)" } ?? "")"
        #expect(complaint.contains("drawing \(count) training and 2 test images") && complaint.contains("cannot be had"))
    }

    @Test func anImageDependsOnSeedHalfAndIndexAlone() throws {
        let small = try Shapes.generate(imageSize: 16, train: 25, test: 13, seed: 7)
        let large = try Shapes.generate(imageSize: 16, train: 60, test: 40, seed: 7)
        let other = try Shapes.generate(imageSize: 16, train: 25, test: 13, seed: 8)
        #expect(large.train.subset(Array(0..<25)).pixels == small.train.pixels)
        #expect(large.test.subset(Array(0..<13)).factors == small.test.factors)
        #expect(small.train.fingerprint == (try Shapes.generate(imageSize: 16, train: 25, test: 13, seed: 7)).train.fingerprint)
        #expect(small.train.fingerprint != other.train.fingerprint)
        #expect(small.train.subset(Array(0..<13)).pixels != small.test.pixels)
        let images = Set((0..<60).map { large.train.subset([$0]).pixels })
        #expect(images.count == 60)
    }

    @Test func classesAreBalancedAndFactorsFillTheirRangesIndependently() throws {
        let set = try Shapes.generate(imageSize: 8, train: 5000, test: 1, seed: 1).train
        #expect(set.classNames.count == 10 && Set(set.classNames).count == 10)
        for label in 0..<10 { #expect(set.labels.count { $0 == label } == 500) }
        #expect(set.factors.map(\.name) == Shapes.factors.map(\.name))
        let columns = set.factors.map { $0.values.map(Double.init) } + [set.labels.map(Double.init)]
        for (factor, values) in zip(Shapes.factors, columns) {
            let (low, high) = (Double(factor.range.lowerBound), Double(factor.range.upperBound))
            #expect(values.allSatisfy { $0 >= low - 1e-6 && $0 <= high + 1e-6 }, "\(factor.name)")
            // The mean of 5000 uniform draws strays by more than 5 standard errors in less than one of a million seeds.
            let mean = values.reduce(0, +) / 5000
            #expect(abs(mean - (low + high) / 2) < 5 * (high - low) / (12.0 * 5000).squareRoot(), "\(factor.name)")
            #expect(values.min()! < low + 0.01 * (high - low) && values.max()! > high - 0.01 * (high - low), "\(factor.name)")
        }
        for i in columns.indices {
            for j in 0..<i {
                #expect(abs(correlation(columns[i], columns[j])) < 5 / 5000.0.squareRoot(), "columns \(i) and \(j)")
            }
        }
    }

    private func correlation(_ a: [Double], _ b: [Double]) -> Double {
        let (meanA, meanB) = (a.reduce(0, +) / Double(a.count), b.reduce(0, +) / Double(b.count))
        let sum = { (x: [Double], mx: Double, y: [Double], my: Double) in zip(x, y).reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) } }
        return sum(a, meanA, b, meanB) / (sum(a, meanA, a, meanA) * sum(b, meanB, b, meanB)).squareRoot()
    }

    /// The shape is where the factors say: found by numpy as what differs from the background its factors describe.
    @Test func factorsDescribeThePicture() throws {
        let (size, count) = (64, 200)
        let set = try Shapes.generate(imageSize: size, train: count, test: 1, seed: 3).train
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("shapes.safetensors")
            let tensors: [(name: String, shape: [Int], values: TensorValues)] =
                [("pixels", [count, size, size, 3], .uint8(set.pixels)), ("labels", [count], .int32(set.labels))]
                + set.factors.map { (name: $0.name, shape: [count], values: .float32($0.values)) }
            try SafetensorsFile.write(tensors, to: url)
            let printed = try python(
                """
                import sys, colorsys, numpy as np
                from safetensors.numpy import load_file
                t = load_file(sys.argv[1])
                n, size = t["pixels"].shape[:2]
                centre = (np.arange(size) + 0.5) / size
                worst_background = worst_colour = worst_centre = worst_reach = 0
                for i in range(n):
                    f = {k: float(v[i]) for k, v in t.items() if v.ndim == 1}
                    a = np.radians(f["gradient"])
                    level = f["background_brightness"] + 0.2 * ((centre[None, :] - 0.5) * np.cos(a) + (centre[:, None] - 0.5) * np.sin(a))
                    background = level[:, :, None] * np.array(colorsys.hsv_to_rgb(f["background_hue"] / 360, 0.45, 1)) * 255
                    pixels = t["pixels"][i].astype(float)
                    away = np.hypot(centre[None, :] - f["x"], centre[:, None] - f["y"])
                    outside = away > 1.25 * f["size"] + 1.5 / size
                    worst_background = max(worst_background, np.abs(pixels - background)[outside].max())
                    inside = np.abs(pixels - background).max(-1) > 60
                    colour = np.array(colorsys.hsv_to_rgb(f["hue"] / 360, 0.75, 1)) * 0.97 * 255
                    worst_colour = max(worst_colour, np.median(np.abs(pixels - colour)[inside], axis=0).max())
                    rows, columns = np.nonzero(inside)
                    if f["labels"] in (0, 1, 4, 5, 6, 9):  # symmetric about their centre
                        worst_centre = max(worst_centre, np.hypot(centre[columns].mean() - f["x"], centre[rows].mean() - f["y"]) * size)
                    if f["labels"] == 0:
                        worst_reach = max(worst_reach, abs(np.sqrt(inside.mean() / np.pi) - 0.92 * f["size"]) * size)
                print(worst_background, worst_colour, worst_centre, worst_reach)
                """, url.path)
            let worst = printed.split(separator: " ").compactMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            #expect(worst.count == 4)
            #expect(worst[0] <= 1, "background off by \(worst[0]) of 255")
            #expect(worst[1] <= 1, "colour off by \(worst[1]) of 255")
            #expect(worst[2] < 0.5, "centre off by \(worst[2]) pixels")
            #expect(worst[3] < 0.5, "radius off by \(worst[3]) pixels")
        }
    }

    /// Pixels average what is under them: a drawing reduced eightfold is the drawing at an eighth of the resolution.
    @Test func edgesAreAntiAliased() throws {
        let fine = try Shapes.generate(imageSize: 256, train: 40, test: 1, seed: 5).train
        let coarse = try Shapes.generate(imageSize: 32, train: 40, test: 1, seed: 5).train
        var differences: [Double] = []
        for i in 0..<40 {
            var sum = 0.0
            for y in 0..<32 {
                for x in 0..<32 {
                    for c in 0..<3 {
                        var mean = 0.0
                        for v in y * 8..<(y + 1) * 8 {
                            for u in x * 8..<(x + 1) * 8 { mean += Double(fine.pixels[((i * 256 + v) * 256 + u) * 3 + c]) / 64 }
                        }
                        sum += abs(mean - Double(coarse.pixels[((i * 32 + y) * 32 + x) * 3 + c]))
                    }
                }
            }
            differences.append(sum / (32 * 32 * 3))
        }
        // Hard edges would be off by about a quarter of the contrast on a tenth of the pixels: more than 2 on average.
        #expect(differences.max()! < 1, "\(differences.max()!) of 255 on average")
    }

    @Test func sizesThatCannotBeDrawnAreRefused() throws {
        #expect(throws: InputError.self) { try Shapes.generate(imageSize: 7, train: 1, test: 1, seed: 0) }
        #expect(throws: InputError.self) { try Shapes.generate(imageSize: 8, train: 0, test: 1, seed: 0) }
        let odd = try Shapes.generate(imageSize: 9, train: 3, test: 2, seed: 0)
        #expect(odd.train.pixels.count == 3 * 9 * 9 * 3 && odd.test.count == 2)
    }
}
