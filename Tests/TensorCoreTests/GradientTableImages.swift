import TensorCore

extension GradientTable {
    /// Images [B, H, W, C] and windows over them: stride, uneven padding, windows as large as the image, several chunks.
    private static let windows: [(x: Shape, window: Window)] = [
        ([1, 1, 1, 1], Window(1)), ([2, 5, 6, 3], Window(3, padding: 1)), ([1, 7, 5, 2], Window(4, stride: 2, padding: 1)),
        ([2, 4, 4, 1], Window(2, stride: 3)), ([1, 3, 3, 2], Window(3, stride: 2, padding: 2)),
        ([2, 5, 3, 3], Window(height: 1, width: 5, top: 0, left: 2, bottom: 0, right: 2)),
        ([1, 6, 7, 2], Window(height: 3, width: 2, stride: 2, top: 0, left: 1, bottom: 2, right: 0)),
        ([3, 17, 15, 7], Window(3, stride: 2, padding: 1)),
    ]

    /// Numbers in steps of 1/4, so that no small move changes which of them is the largest.
    private static func distinct(_ shape: Shape) -> Tensor {
        var stream = RandomStream(seed: 13, "distinct")
        let count = shape.elementCount
        return Tensor(stream.permutation(count).map { 0.25 * Float($0 - count / 2) }, shape: shape)
    }

    /// Rows of channels: images, and plain matrices.
    private static let channelRows: [Shape] = [[5, 1], [2, 3, 5, 7], [3, 4, 1, 33], [4, 19, 17, 6]]

    static let images = [
        GradientRow("conv2d(_:weight:bias:window:)") {
            windows.enumerated().flatMap { number, item in
                let (size, window) = item
                let weight = random([1 + 2 * number, window.height, window.width, size[3]], "w")
                return [
                    GradientCase(random(size, "x"), weight) { conv2d($0[0], weight: $0[1], window: window) },
                    GradientCase(random(size, "x"), weight, random([1 + 2 * number], "b")) {
                        conv2d($0[0], weight: $0[1], bias: $0[2], window: window)
                    },
                ]
            }
        },
        GradientRow("depthwiseConv2d(_:weight:bias:window:)") {
            (windows + [([2, 9, 8, 5], Window(7, padding: 3))]).map { size, window in
                GradientCase(random(size, "x"), random([window.height, window.width, size[3]], "w"), random([size[3]], "b")) {
                    depthwiseConv2d($0[0], weight: $0[1], bias: $0[2], window: window)
                }
            }
        },
        GradientRow("maxPool(_:window:)") {
            windows.filter { max($0.window.top, $0.window.left, $0.window.bottom) < $0.window.height }.dropLast().map {
                size, window in GradientCase(distinct(size)) { maxPool($0[0], window: window) }
            }
        },
        GradientRow("averagePool(_:window:countingPadding:)") {
            windows.filter { max($0.window.top, $0.window.left, $0.window.bottom) < $0.window.height }.flatMap { size, window in
                [false, true].map { counts in
                    GradientCase(random(size)) { averagePool($0[0], window: window, countingPadding: counts) }
                }
            }
        },
        GradientRow("transposed(_:)") {
            [[1, 1], [7, 3], [2, 5, 4], [3, 2, 131, 67]].map { GradientCase(random($0)) { transposed($0[0]) } }
        },
        GradientRow("firstChannels(_:_:)") {
            [[1, 1], [7, 3], [2, 5, 4, 6]].map { shape in GradientCase(random(shape)) { firstChannels($0[0], ((shape.last ?? 1) + 1) / 2) }
            }
        },
        GradientRow("globalAveragePool(_:)") {
            [[1, 1, 1, 1], [2, 3, 5, 7], [3, 9, 11, 33]].map { GradientCase(random($0)) { globalAveragePool($0[0]) } }
        },
        GradientRow("batchNorm(_:weight:bias:moments:epsilon:)") {
            channelRows.map { shape in
                GradientCase(random(shape, "x"), random([shape[shape.count - 1]], "w"), random([shape[shape.count - 1]], "b")) {
                    batchNorm($0[0], weight: $0[1], bias: $0[2], moments: ChannelMoments(of: $0[0]), epsilon: 0.01)
                }
            }
        },
        GradientRow("batchNormTangent(_:along:weight:moments:epsilon:)") {
            channelRows.map { shape in
                GradientCase(random(shape, "x"), random(shape, "u"), random([shape[shape.count - 1]], "w")) {
                    batchNormTangent($0[0], along: $0[1], weight: $0[2], moments: ChannelMoments(of: $0[0]), epsilon: 0.1)
                }
            }
        },
        GradientRow("frozenBatchNorm(_:weight:bias:moments:epsilon:)") {
            channelRows.map { shape in
                let channels = shape[shape.count - 1]
                let moments = ChannelMoments(
                    mean: random([channels], "mean"), variance: Tensor(random([channels], "v").values.map { $0 * $0 }, shape: [channels]))
                return GradientCase(random(shape, "x"), random([channels], "w"), random([channels], "b")) {
                    frozenBatchNorm($0[0], weight: $0[1], bias: $0[2], moments: moments, epsilon: 0.25)
                }
            }
        },
        GradientRow("bilinearResize(_:height:width:)") {
            let sizes: [(Shape, Int, Int)] = [
                ([1, 1, 1, 1], 1, 1), ([2, 3, 5, 2], 7, 11), ([1, 9, 8, 3], 4, 3), ([3, 12, 10, 5], 12, 23),
            ]
            return sizes.map { shape, height, width in
                GradientCase(random(shape)) { bilinearResize($0[0], height: height, width: width) }
            }
        },
        GradientRow("antialiasedResize(_:height:width:)") {
            let sizes: [(Shape, Int, Int)] = [
                ([1, 1, 1, 1], 1, 1), ([2, 3, 5, 2], 7, 11), ([1, 9, 8, 3], 4, 3), ([3, 12, 10, 5], 11, 23), ([1, 17, 2, 1], 2, 1),
            ]
            return sizes.map { shape, height, width in
                GradientCase(random(shape)) { antialiasedResize($0[0], height: height, width: width) }
            }
        },
        GradientRow("imagesFromPatches(_:rows:columns:patch:)") {
            let sizes: [(Shape, Int, Int, Int)] = [([1, 1, 1], 1, 1, 1), ([2, 6, 12], 2, 3, 2), ([3, 35, 75], 7, 5, 5)]
            return sizes.map { shape, rows, columns, patch in
                GradientCase(random(shape)) { imagesFromPatches($0[0], rows: rows, columns: columns, patch: patch) }
            }
        },
        GradientRow("concatChannels(_:)") {
            [
                GradientCase(random([2, 3, 1, 5], "a"), random([2, 3, 1, 2], "b")) { concatChannels($0) },
                GradientCase(random([1, 2, 7], "a"), random([1, 2, 1], "b"), random([1, 2, 4], "c")) { concatChannels($0) },
                GradientCase(random([3, 33])) { concatChannels($0) },
                GradientCase(random([9, 11, 13, 17], "a"), random([9, 11, 13, 8], "b")) { concatChannels($0) },
            ]
        },
    ]
}
