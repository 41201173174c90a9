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
        // Three numbers an image, summed up afterwards in the order of the images.
        var errors = [Double](repeating: .nan, count: 3 * n)
        errors.withUnsafeMutableBufferPointer { errors in
            nonisolated(unsafe) let errors = errors
            Parallel.chunks(n) { i in
                let a = images[i * size..<(i + 1) * size].map(Float.init)
                let b = rebuilt[i * size..<(i + 1) * size].map(Float.init)
                var sum: Float = 0
                for j in 0..<size { sum += abs(a[j] - b[j]) }
                errors[3 * i] = Double(sum) / Double(size)
                // What cannot be measured stays not-a-number: an image smaller than the window has no SSIM.
                if let ratio = try? Evaluation.psnr(a, b, range: 255) { errors[3 * i + 1] = ratio }
                if let likeness = try? Evaluation.ssim(
                    a, b, height: height, width: width, channels: channels, range: 255)
                {
                    errors[3 * i + 2] = likeness
                }
            }
        }
        for i in 0..<n {
            l1 += errors[3 * i]
            psnr += errors[3 * i + 1]
            ssim += errors[3 * i + 2]
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
