import Evaluation
import Files
import TestSupport
import Testing

@Suite struct ImageFidelityTests {
    private func image(_ count: Int, seed: UInt64) -> [Float] {
        var data = RandomData(seed: seed)
        return (0..<count).map { _ in Float((data.uniform() * 255).rounded()) }
    }

    @Test(arguments: [(32, 32, 1), (11, 11, 3), (17, 40, 3)])
    func agreesWithScipy(height: Int, width: Int, channels: Int) throws {
        let a = image(height * width * channels, seed: 31)
        let b = zip(a, image(a.count, seed: 32)).map { 0.8 * $0 + 0.2 * $1 }
        let expected = try pythonJSON(
            """
            from scipy.ndimage import gaussian_filter
            a = f32("a", \(height), \(width), \(channels)).astype(float)
            b = f32("b", \(height), \(width), \(channels)).astype(float)
            def one(x, y, c1=(0.01 * 255) ** 2, c2=(0.03 * 255) ** 2):
                g = lambda z: gaussian_filter(z, 1.5, truncate=3.5)
                ux, uy = g(x), g(y)
                vx, vy, vxy = g(x * x) - ux * ux, g(y * y) - uy * uy, g(x * y) - ux * uy
                s = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux ** 2 + uy ** 2 + c1) * (vx + vy + c2))
                return s[5:-5, 5:-5].mean()
            print(json.dumps(dict(ssim=float(np.mean([one(a[..., c], b[..., c]) for c in range(\(channels))])),
                                  psnr=float(10 * np.log10(255 ** 2 / ((a - b) ** 2).mean())))))
            """, floats: ["a": a, "b": b])
        let similarity = try ssim(a, b, height: height, width: width, channels: channels, range: 255)
        #expect(relativeError(similarity, try expected.number("ssim")) < 1e-10)
        #expect(relativeError(try psnr(a, b, range: 255), try expected.number("psnr")) < 1e-12)
    }

    @Test func equalAndScaledImages() throws {
        let a = image(400, seed: 33), b = image(400, seed: 34)
        #expect(try psnr(a, a, range: 255) == .infinity)
        #expect(abs(try ssim(a, a, height: 20, width: 20, channels: 1, range: 255) - 1) < 1e-12)
        // The same pictures in another range score the same.
        let (halfA, halfB) = (a.map { $0 / 128 }, b.map { $0 / 128 })
        let found = try ssim(halfA, halfB, height: 20, width: 20, channels: 1, range: 255 / 128.0)
        #expect(relativeError(found, try ssim(a, b, height: 20, width: 20, channels: 1, range: 255)) < 1e-9)
    }

    @Test func refusesSmallAndBrokenImages() {
        let small = image(100, seed: 35)
        #expect { try ssim(small, small, height: 10, width: 10, channels: 1, range: 255) } throws: {
            "\($0)".contains("at least 11×11")
        }
        var broken = image(121, seed: 36)
        broken[60] = .nan
        #expect(throws: InputError.self) { try psnr(broken, broken, range: 255) }
        #expect(throws: InputError.self) { try ssim(broken, broken, height: 11, width: 11, channels: 1, range: 255) }
    }
}
