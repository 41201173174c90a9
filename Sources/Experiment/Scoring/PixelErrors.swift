import Evaluation
import Files
import Metrics
import TensorCore

/// How far reconstructions are from their images, pixel by pixel: means over images, which come batch by batch.
package struct PixelErrors {
    private var count = 0
    private var l1 = 0.0, psnr = 0.0, ssim = 0.0

    package init() {}

    /// Adds pixels (n, row, column, channel) of images and of their reconstructions, in levels of 0…255.
    package mutating func add(_ images: [UInt8], _ rebuilt: [UInt8], height: Int, width: Int, channels: Int) {
        let size = height * width * channels
        precondition(images.count == rebuilt.count && images.count.isMultiple(of: size), "images and others of them")
        let n = images.count / size
        let errors = Parallel.map(n) { i in
            let a = images[i * size..<(i + 1) * size].map(Float.init)
            let b = rebuilt[i * size..<(i + 1) * size].map(Float.init)
            var sum: Float = 0
            for j in 0..<size { sum += abs(a[j] - b[j]) }
            // What cannot be measured is not a number: an image smaller than the window has no SSIM.
            let ratio = try? Evaluation.psnr(a, b, range: 255)
            let likeness = try? Evaluation.ssim(a, b, height: height, width: width, channels: channels, range: 255)
            return (l1: Double(sum) / Double(size), psnr: ratio ?? .nan, ssim: likeness ?? .nan)
        }
        // In the order of the images, so that sums do not depend on threads.
        for error in errors {
            l1 += error.l1
            psnr += error.psnr
            ssim += error.ssim
        }
        count += n
    }

    /// By metric name; not finite where an image had none, or, for PSNR, came back without any error.
    package var values: [String: Double] {
        let n = Double(count)
        return [
            Measure.l1.name([.features: "pixels"]): l1 / n, Measure.psnr.name([.features: "pixels"]): psnr / n,
            Measure.ssim.name([.features: "pixels"]): ssim / n,
        ]
    }
}
