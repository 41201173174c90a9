import Evaluation
import Files
import Metrics
import RunStore
import TensorCore

/// How far reconstructions are from their images, pixel by pixel: means over images, which come batch by batch.
package struct PixelErrors {
    private var l1: [Double] = []
    private var psnr: [Double] = []
    private var ssim: [Double] = []

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
        for error in errors {
            l1.append(error.l1)
            psnr.append(error.psnr)
            ssim.append(error.ssim)
        }
    }

    /// By metric name; not finite where an image had none, or, for PSNR, came back without any error.
    package var values: [String: Double] {
        // In the order of the images, so that sums do not depend on threads.
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        return [
            Measure.l1.name([.features: "pixels"]): mean(l1), Measure.psnr.name([.features: "pixels"]): mean(psnr),
            Measure.ssim.name([.features: "pixels"]): mean(ssim),
        ]
    }

    /// Image by image.
    func write(to file: HDF5File, _ group: String) throws {
        for (name, values) in [("l1", l1), ("psnr", psnr), ("ssim", ssim)] {
            try file.write(values, to: "\(group)/\(name)", shape: [values.count])
        }
    }

    /// Adds those of `count` images that were written.
    mutating func add(reading file: HDF5File, _ group: String, count: Int) throws {
        func values(_ name: String) throws -> [Double] { try file.read("\(group)/\(name)", as: Double.self, shape: [count]).values }
        l1 += try values("l1")
        psnr += try values("psnr")
        ssim += try values("ssim")
    }
}
