import Files
import Foundation

/// Peak signal-to-noise ratio in decibels, 10·log₁₀(range² / mean squared error); infinite for equal images.
/// - Parameter range: largest value minus smallest value a pixel can have (255 for bytes, 2 for [−1, 1]).
/// - Throws: `InputError` if a pixel is not finite.
public func psnr(_ a: [Float], _ b: [Float], range: Double) throws -> Double {
    precondition(a.count == b.count && !a.isEmpty, "images of \(a.count) and \(b.count) values")
    var sum = 0.0
    for i in a.indices {
        let step = Double(a[i]) - Double(b[i])
        sum += step * step
    }
    guard sum.isFinite else { throw InputError("an image has a pixel that is not finite; no PSNR") }
    return 10 * log10(range * range * Double(a.count) / sum)
}

/// Structural similarity (Wang et al. 2004) as published: 11×11 Gaussian window of σ 1.5, K₁ 0.01, K₂ 0.03, population
/// variances, averaged over the pixels whose window lies inside the image and over channels.
/// - Parameters:
///   - a, b: [height, width, channels] row-major.
///   - range: largest value minus smallest value a pixel can have (255 for bytes, 2 for [−1, 1]).
/// - Throws: `InputError` if the image is smaller than the window or a pixel is not finite.
public func ssim(
    _ a: [Float], _ b: [Float], height: Int, width: Int, channels: Int, range: Double
) throws -> Double {
    precondition(
        a.count == height * width * channels && b.count == a.count,
        "images of \(a.count) and \(b.count) values are not [\(height), \(width), \(channels)]")
    let window = gaussianWindow(radius: 5, sigma: 1.5)
    guard height >= window.count, width >= window.count else {
        throw InputError("SSIM needs images of at least \(window.count)×\(window.count) pixels, found \(height)×\(width)")
    }
    let (c1, c2) = (0.0001 * range * range, 0.0009 * range * range)
    var total = 0.0
    for channel in 0..<channels {
        let x = stride(from: channel, to: a.count, by: channels).map { Double(a[$0]) }
        let y = stride(from: channel, to: b.count, by: channels).map { Double(b[$0]) }
        func filtered(_ product: (Double, Double) -> Double) -> [Double] {
            convolve(zip(x, y).map(product), height: height, width: width, window: window)
        }
        let meanX = filtered { x, _ in x }, meanY = filtered { _, y in y }
        let squareX = filtered { x, _ in x * x }, squareY = filtered { _, y in y * y }
        let cross = filtered(*)
        var sum = 0.0
        for i in meanX.indices {
            let (mx, my) = (meanX[i], meanY[i])
            let luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
            let structure = (2 * (cross[i] - mx * my) + c2) / (squareX[i] - mx * mx + squareY[i] - my * my + c2)
            sum += luminance * structure
        }
        total += sum / Double(meanX.count)
    }
    guard total.isFinite else { throw InputError("an image has a pixel that is not finite; no SSIM") }
    return total / Double(channels)
}

private func gaussianWindow(radius: Int, sigma: Double) -> [Double] {
    let weights = (-radius...radius).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
}

/// Separable convolution without padding: [height − n + 1, width − n + 1] for a window of n.
private func convolve(_ image: [Double], height: Int, width: Int, window: [Double]) -> [Double] {
    let n = window.count
    let (outHeight, outWidth) = (height - n + 1, width - n + 1)
    var rows = [Double](repeating: 0, count: height * outWidth)
    var result = [Double](repeating: 0, count: outHeight * outWidth)
    image.withUnsafeBufferPointer { image in
        window.withUnsafeBufferPointer { window in
            rows.withUnsafeMutableBufferPointer { rows in
                for y in 0..<height {
                    for k in 0..<n {
                        for x in 0..<outWidth { rows[y * outWidth + x] += window[k] * image[y * width + x + k] }
                    }
                }
                result.withUnsafeMutableBufferPointer { result in
                    for y in 0..<outHeight {
                        for k in 0..<n {
                            for x in 0..<outWidth {
                                result[y * outWidth + x] += window[k] * rows[(y + k) * outWidth + x]
                            }
                        }
                    }
                }
            }
        }
    }
    return result
}
