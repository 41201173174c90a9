import Files
import Foundation
import ImageData
import TestSupport
import Testing

@Suite struct ImageSetTests {
    /// Pixels that name their place, so that any misplacement shows.
    static func numbered(count: Int, height: Int, width: Int, channels: Int, classes: Int = 3) -> ImageSet {
        ImageSet(
            name: "numbered", height: height, width: width, channels: channels,
            pixels: (0..<count * height * width * channels).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 / 251) },
            labels: (0..<count).map { Int32($0 * $0 % classes) }, classNames: (0..<classes).map { "class \($0)" },
            factors: [.init(name: "place", values: (0..<count).map(Float.init), unit: "image")])
    }

    @Test(arguments: [(6, 8, 3, 2), (4, 4, 1, 4), (8, 4, 3, 1), (12, 6, 1, 3)])
    func patchesAreNumpysReshapeAndTranspose(_ size: (height: Int, width: Int, channels: Int, patch: Int)) throws {
        let set = Self.numbered(count: 7, height: size.height, width: size.width, channels: size.channels)
        let indices = [5, 0, 5, 6]
        let flips = [false, true, true, false]
        for flipped in [[], flips] {
            var values = [Float](repeating: .nan, count: indices.count * set.pixelsPerImage)
            let views = flipped.map { PictureView(isMirrored: $0) }
            let batch = try set.batch(indices, views: views)
            #expect(batch.labels == indices.map { set.labels[$0] })
            var room = values.mutableSpan
            set.layout(patch: size.patch).patches(ofImages: batch.pixels, into: &room)
            try withTemporaryFolder { folder in
                let url = folder.appendingPathComponent("batch.safetensors")
                try SafetensorsFile.write(
                    [
                        ("images", [7, size.height, size.width, size.channels], .uint8(set.pixels)),
                        ("values", [values.count], .float32(values)),
                        ("indices", [4], .int32(indices.map(Int32.init))),
                        ("flipped", [4], .uint8(flipped.isEmpty ? [0, 0, 0, 0] : flips.map { $0 ? 1 : 0 })),
                    ], to: url)
                let printed = try python(
                    """
                    import sys, numpy as np
                    from safetensors.numpy import load_file
                    t, p = load_file(sys.argv[1]), int(sys.argv[2])
                    x = t["images"][t["indices"]]
                    x = np.where(t["flipped"][:, None, None, None] == 1, x[:, :, ::-1], x)
                    n, h, w, c = x.shape
                    x = x.astype(np.float32) / np.float32(127.5) - np.float32(1)
                    x = x.reshape(n, h // p, p, w // p, p, c).transpose(0, 1, 3, 2, 4, 5)
                    print(np.array_equal(x.ravel(), t["values"]))
                    """, url.path, "\(size.patch)")
                #expect(printed == "True")
            }
            let back = set.layout(patch: size.patch).images(fromPatches: values)
            if flipped.isEmpty { #expect(back == set.subset(indices).pixels) }
        }
    }

    @Test func imagesFromPatchesAreTruncatedAndClamped() {
        let layout = PatchLayout(height: 2, width: 3, channels: 1, patch: 1)
        #expect(layout.images(fromPatches: [-1, 1, 0, 0.999, -7, 7]) == [0, 255, 128, 255, 0, 255])
        #expect(
            layout.images(fromPatches: [.nan, .infinity, -.infinity, 0.49 / 127.5, -0.01 / 127.5, -127 / 127.5])
                == [0, 255, 0, 128, 127, 1])
    }

    @Test func subsetsKeepImagesLabelsAndFactorsTogether() throws {
        let set = Self.numbered(count: 50, height: 2, width: 2, channels: 1)
        let some = set.subset([49, 3])
        #expect(some.pixels == Array(set.pixels[196...]) + set.pixels[12..<16])
        #expect(some.labels == [set.labels[49], set.labels[3]])
        #expect(some.factors[0].values == [49, 3])
        #expect(some.fingerprint == set.subset([49, 3]).fingerprint)
        #expect(some.fingerprint != set.subset([3, 49]).fingerprint)

        let drawn = try set.random(20, seed: 4)
        let places = drawn.factors[0].values
        #expect(Set(places).count == 20 && places == places.sorted())
        #expect(try set.random(20, seed: 4).factors[0].values == places)
        #expect(try set.random(20, seed: 5).factors[0].values != places)
        #expect(throws: InputError.self) { try set.random(51, seed: 0) }
    }

    @Test func balancedTakesTheFirstOfEveryClass() throws {
        // Labels i² mod 3 are 0, 1, 1 over and over.
        let set = Self.numbered(count: 60, height: 1, width: 1, channels: 1, classes: 2)
        let eleven = try set.balanced(11)
        #expect(eleven.labels.count { $0 == 0 } == 6 && eleven.labels.count { $0 == 1 } == 5)
        #expect(eleven.factors[0].values == (0..<11).map(Float.init))
        let error = #expect(throws: InputError.self) { try Self.numbered(count: 60, height: 1, width: 1, channels: 1).balanced(3) }
        #expect(error?.message.contains("1 more of 'class 2'") == true)
    }

    @Test(arguments: [(10, 3), (10, 10), (7, 20), (100, 64)])
    func everyEpochVisitsEachImageOnce(_ size: (count: Int, batch: Int)) {
        var order = BatchOrder(seed: 9, count: size.count)
        let epochs = 6
        let steps = (epochs * size.count + size.batch - 1) / size.batch
        let visited = (0..<steps).flatMap { step in
            let indices = order.indices(step: step, batch: size.batch)
            #expect(indices.count == size.batch)
            return indices
        }
        var seen: Set<[Int]> = []
        for epoch in 0..<epochs {
            let images = Array(visited[epoch * size.count..<(epoch + 1) * size.count])
            #expect(images.sorted() == Array(0..<size.count))
            #expect(seen.insert(images).inserted, "epoch \(epoch) repeats an earlier order")
        }
    }

    @Test func anOrderResumedAnywhereGoesOnTheSame() {
        var whole = BatchOrder(seed: 1, count: 23)
        let steps = (0..<40).map { whole.indices(step: $0, batch: 5) }
        for step in stride(from: 39, through: 0, by: -7) {
            var resumed = BatchOrder(seed: 1, count: 23)
            #expect(resumed.indices(step: step, batch: 5) == steps[step])
        }
        var other = BatchOrder(seed: 2, count: 23)
        #expect(other.indices(step: 0, batch: 23) != BatchOrder.firstEpoch(seed: 1, count: 23))
    }

    /// Place by image, over many seeds: every image comes first equally often.
    @Test func shufflesAreUniform() {
        let seeds = 6000
        var first = [Int](repeating: 0, count: 6)
        for seed in 0..<seeds { first[BatchOrder.firstEpoch(seed: UInt64(seed), count: 6)[0]] += 1 }
        let expected = Double(seeds) / 6
        let chiSquare = first.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        // χ² with 5 degrees of freedom exceeds 25.7 once in ten thousand.
        #expect(chiSquare < 25.7)
    }
}

extension BatchOrder {
    fileprivate static func firstEpoch(seed: UInt64, count: Int) -> [Int] {
        var order = BatchOrder(seed: seed, count: count)
        return order.indices(step: 0, batch: count)
    }
}
