import Evaluation
import Experiment
import Testing

@Suite struct PixelErrorTests {
    /// Means over the images, however they are cut into batches.
    @Test(arguments: [1, 3, 7])
    func areMeansOverImages(_ batch: Int) throws {
        let (height, width, channels, count) = (13, 12, 3, 7)
        let size = height * width * channels
        let images = (0..<count * size).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 31 &+ $0 / 7) }
        let others = images.enumerated().map { UInt8(truncatingIfNeeded: Int($1) ^ ($0 / size + 1)) }
        var errors = PixelErrors()
        for lower in stride(from: 0, to: count, by: batch) {
            let range = lower * size..<min(count, lower + batch) * size
            errors.add(Array(images[range]), Array(others[range]), height: height, width: width, channels: channels)
        }
        var (l1, ratio, likeness) = (0.0, 0.0, 0.0)
        for i in 0..<count {
            let a = images[i * size..<(i + 1) * size].map(Float.init)
            let b = others[i * size..<(i + 1) * size].map(Float.init)
            l1 += zip(a, b).reduce(0) { $0 + Double(abs($1.0 - $1.1)) } / Double(size * count)
            ratio += try psnr(a, b, range: 255) / Double(count)
            likeness += try ssim(a, b, height: height, width: width, channels: channels, range: 255) / Double(count)
        }
        for (name, expected) in [("l1", l1), ("psnr", ratio), ("ssim", likeness)] {
            let found = try #require(errors.values["\(name)@pixels"])
            #expect(abs(found - expected) < 1e-9 * abs(expected), "\(name): \(found), \(expected)")
        }
    }

    /// What cannot be measured is not finite, and so is stored as missing.
    @Test func whatCannotBeMeasuredIsMissing() {
        var errors = PixelErrors()
        let image = [UInt8](repeating: 7, count: 8 * 8)
        errors.add(image, image, height: 8, width: 8, channels: 1)
        #expect(errors.values["l1@pixels"] == 0)
        #expect(errors.values["psnr@pixels"] == .infinity, "an image without error")
        #expect(errors.values["ssim@pixels"]?.isNaN == true, "smaller than the window")
    }
}
