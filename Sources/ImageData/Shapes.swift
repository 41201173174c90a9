import Files
import Foundation

/// A colour data set that is drawn, not loaded: the class is the shape, everything else is a recorded nuisance factor.
///
/// Image i of a half depends on seed, half and i alone, so sets of different sizes agree where they overlap. The class of
/// image i is i mod 10; each factor is drawn uniformly and independently of the class and of the others. Every shape
/// lies wholly inside the image, edges are anti-aliased.
public enum Shapes {
    public static var classNames: [String] { ShapeOutline.all.map(\.name) }

    /// Name, unit and range of each recorded factor, in the order of `ImageSet.factors`.
    ///
    /// Hues are angles on the colour wheel; x, y are the centre and size the radius as a share of the image's side;
    /// positive rotation is clockwise; brightness is the background's in the middle of the image, and rises by
    /// `Shapes.gradient` from end to end along the direction `gradient` (0 to the right, 90 down).
    public static let factors: [(name: String, unit: String, range: ClosedRange<Float>)] = [
        ("hue", "degree", 0...360),
        ("x", "image side", 0.35...0.65),
        ("y", "image side", 0.35...0.65),
        ("size", "image side", 0.18...0.32),
        ("rotation", "degree", -15...15),
        ("background_hue", "degree", 0...360),
        ("background_brightness", "share of full", 0.18...0.45),
        ("gradient", "degree", 0...360),
    ]

    /// Rise of the background's brightness over one image side.
    private static let gradient: Float = 0.2

    /// Both halves; the test images are drawn from a stream of their own.
    /// - Throws: `InputError` where a size is too small to draw.
    public static func generate(imageSize: Int, train: Int, test: Int, seed: UInt64) throws -> LabelledData {
        guard imageSize >= 8 else { throw InputError("shapes: image size \(imageSize), the smallest that can be drawn is 8") }
        for (half, count) in [("training", train), ("test", test)] where count < 1 {
            throw InputError("shapes: \(count) \(half) images, expected at least 1")
        }
        let (images, tooMany) = train.addingReportingOverflow(test)
        let (bytes, tooLarge) = images.multipliedReportingOverflow(by: 3 * imageSize * imageSize + 4 * (factors.count + 1))
        try MemoryClaim.require(
            tooMany || tooLarge ? .max : bytes, file: "shapes", "drawing \(train) training and \(test) test images")
        return LabelledData(
            train: draw("shapes/train", imageSize: imageSize, count: train, seed: seed, half: 0),
            test: draw("shapes/test", imageSize: imageSize, count: test, seed: seed, half: 1))
    }

    private static func draw(_ name: String, imageSize: Int, count: Int, seed: UInt64, half: UInt64) -> ImageSet {
        let outlines = ShapeOutline.all.map(\.outline)
        var values = factors.map { _ in [Float](repeating: 0, count: count) }
        let bytes = imageSize * imageSize * 3
        let pixels = [UInt8](unsafeUninitializedCapacity: count * bytes) { pixels, written in
            for i in 0..<count {
                var random = SplitMix64(key: seed, DrawPurpose.shapes, half, UInt64(i))
                for (f, factor) in factors.enumerated() { values[f][i] = random.uniform(factor.range) }
                let scene = Scene(outline: outlines[i % outlines.count], factors: values.map { $0[i] })
                scene.draw(into: UnsafeMutableBufferPointer(rebasing: pixels[i * bytes..<(i + 1) * bytes]), size: imageSize)
            }
            written = count * bytes
        }
        return ImageSet(
            name: name, height: imageSize, width: imageSize, channels: 3, pixels: pixels,
            labels: (0..<count).map { Int32($0 % outlines.count) }, classNames: classNames,
            factors: zip(factors, values).map { ImageSet.Factor(name: $0.name, values: $1, unit: $0.unit) })
    }

    /// One image, measured in image sides.
    private struct Scene {
        let outline: ShapeOutline
        let colour: SIMD3<Float>
        let x, y, size: Float
        let rotation: SIMD2<Float>
        let tint: SIMD3<Float>
        let brightness: Float
        let slope: SIMD2<Float>

        init(outline: ShapeOutline, factors: [Float]) {
            self.outline = outline
            colour = Shapes.colour(hue: factors[0], saturation: 0.75) * 0.97
            (x, y, size) = (factors[1], factors[2], factors[3])
            rotation = Self.direction(factors[4])
            tint = Shapes.colour(hue: factors[5], saturation: 0.45)
            brightness = factors[6]
            slope = Self.direction(factors[7]) * Shapes.gradient
        }

        private static func direction(_ degrees: Float) -> SIMD2<Float> {
            let angle = Double(degrees) * .pi / 180
            return SIMD2(Float(cos(angle)), Float(sin(angle)))
        }

        /// Each pixel is covered by the shape in proportion to how far its centre lies inside the outline, over one pixel.
        func draw(into pixels: UnsafeMutableBufferPointer<UInt8>, size imageSize: Int) {
            let pixel = 1 / Float(imageSize)
            let reach = ShapeOutline.reach * size + pixel
            let unit = size * Float(imageSize)
            for row in 0..<imageSize {
                let v = (Float(row) + 0.5) * pixel
                for column in 0..<imageSize {
                    let u = (Float(column) + 0.5) * pixel
                    let light = brightness + (u - 0.5) * slope.x + (v - 0.5) * slope.y
                    let (dx, dy) = (u - x, v - y)
                    var cover: Float = 0
                    if dx * dx + dy * dy < reach * reach {
                        let distance = outline.signedDistance(
                            (dx * rotation.x + dy * rotation.y) / size, (dy * rotation.x - dx * rotation.y) / size)
                        cover = min(max(0.5 - distance * unit, 0), 1)
                    }
                    let first = (row * imageSize + column) * 3
                    // The factors' ranges keep every level within 0...1.
                    for c in 0..<3 {
                        let ground = tint[c] * light
                        pixels[first + c] = UInt8((ground + (colour[c] - ground) * cover) * 255 + 0.5)
                    }
                }
            }
        }
    }

    /// Red, green and blue of a hue in degrees at full value (the HSV hexcone).
    private static func colour(hue: Float, saturation: Float) -> SIMD3<Float> {
        let ramp = SIMD3<Float>(5, 3, 1) + hue / 60
        let k = ramp - 6 * (ramp / 6).rounded(.down)
        let strength = pointwiseMin(k, 4 - k).clamped(lowerBound: SIMD3(repeating: 0), upperBound: SIMD3(repeating: 1))
        return SIMD3(repeating: 1) - saturation * strength
    }
}
