import TensorCore

/// Inception-v3 as the 2015 TensorFlow graph has it (Szegedy et al. 2016; method §6.2), as a tree: what is loaded and what
/// is computed are both read from it. Names are those of pytorch-fid's port.
indirect enum InceptionLayer {
    /// Convolution, batch norm, ReLU.
    case convolution(_ name: String, output: Int, window: Window)
    case maxPool(Window)
    /// Padding does not count.
    case averagePool(Window)
    case chain([InceptionLayer])
    /// The same input to each, outputs side by side.
    case branches([InceptionLayer])
}

extension InceptionLayer {
    /// [B, 299, 299, 3] → [B, 8, 8, 2048].
    static let trunk = chain([
        convolution("Conv2d_1a_3x3", output: 32, window: Window(3, stride: 2)),
        convolution("Conv2d_2a_3x3", output: 32, window: Window(3)),
        same("Conv2d_2b_3x3", 64, 3),
        maxPool(Window(3, stride: 2)),
        same("Conv2d_3b_1x1", 80, 1),
        convolution("Conv2d_4a_3x3", output: 192, window: Window(3)),
        maxPool(Window(3, stride: 2)),
        blockA("Mixed_5b", pooled: 32), blockA("Mixed_5c", pooled: 64), blockA("Mixed_5d", pooled: 64),
        blockB("Mixed_6a"),
        blockC("Mixed_6b", 128), blockC("Mixed_6c", 160), blockC("Mixed_6d", 160), blockC("Mixed_6e", 192),
        blockD("Mixed_7a"),
        // The last block's pool takes the maximum where all others take the mean.
        blockE("Mixed_7b", pool: averagePool(Window(3, padding: 1))),
        blockE("Mixed_7c", pool: maxPool(Window(3, padding: 1))),
    ])

    /// A convolution of stride 1 that keeps height and width.
    private static func same(_ name: String, _ output: Int, _ height: Int, _ width: Int? = nil) -> InceptionLayer {
        let width = width ?? height
        return convolution(
            name, output: output,
            window: Window(
                height: height, width: width, top: height / 2, left: width / 2, bottom: height / 2, right: width / 2))
    }

    private static func blockA(_ name: String, pooled: Int) -> InceptionLayer {
        branches([
            same("\(name).branch1x1", 64, 1),
            chain([same("\(name).branch5x5_1", 48, 1), same("\(name).branch5x5_2", 64, 5)]),
            chain([
                same("\(name).branch3x3dbl_1", 64, 1), same("\(name).branch3x3dbl_2", 96, 3),
                same("\(name).branch3x3dbl_3", 96, 3),
            ]),
            chain([averagePool(Window(3, padding: 1)), same("\(name).branch_pool", pooled, 1)]),
        ])
    }

    private static func blockB(_ name: String) -> InceptionLayer {
        branches([
            convolution("\(name).branch3x3", output: 384, window: Window(3, stride: 2)),
            chain([
                same("\(name).branch3x3dbl_1", 64, 1), same("\(name).branch3x3dbl_2", 96, 3),
                convolution("\(name).branch3x3dbl_3", output: 96, window: Window(3, stride: 2)),
            ]),
            maxPool(Window(3, stride: 2)),
        ])
    }

    private static func blockC(_ name: String, _ inner: Int) -> InceptionLayer {
        branches([
            same("\(name).branch1x1", 192, 1),
            chain([
                same("\(name).branch7x7_1", inner, 1), same("\(name).branch7x7_2", inner, 1, 7),
                same("\(name).branch7x7_3", 192, 7, 1),
            ]),
            chain([
                same("\(name).branch7x7dbl_1", inner, 1), same("\(name).branch7x7dbl_2", inner, 7, 1),
                same("\(name).branch7x7dbl_3", inner, 1, 7), same("\(name).branch7x7dbl_4", inner, 7, 1),
                same("\(name).branch7x7dbl_5", 192, 1, 7),
            ]),
            chain([averagePool(Window(3, padding: 1)), same("\(name).branch_pool", 192, 1)]),
        ])
    }

    private static func blockD(_ name: String) -> InceptionLayer {
        branches([
            chain([
                same("\(name).branch3x3_1", 192, 1),
                convolution("\(name).branch3x3_2", output: 320, window: Window(3, stride: 2)),
            ]),
            chain([
                same("\(name).branch7x7x3_1", 192, 1), same("\(name).branch7x7x3_2", 192, 1, 7),
                same("\(name).branch7x7x3_3", 192, 7, 1),
                convolution("\(name).branch7x7x3_4", output: 192, window: Window(3, stride: 2)),
            ]),
            maxPool(Window(3, stride: 2)),
        ])
    }

    private static func blockE(_ name: String, pool: InceptionLayer) -> InceptionLayer {
        branches([
            same("\(name).branch1x1", 320, 1),
            chain([
                same("\(name).branch3x3_1", 384, 1),
                branches([same("\(name).branch3x3_2a", 384, 1, 3), same("\(name).branch3x3_2b", 384, 3, 1)]),
            ]),
            chain([
                same("\(name).branch3x3dbl_1", 448, 1), same("\(name).branch3x3dbl_2", 384, 3),
                branches([same("\(name).branch3x3dbl_3a", 384, 1, 3), same("\(name).branch3x3dbl_3b", 384, 3, 1)]),
            ]),
            chain([pool, same("\(name).branch_pool", 192, 1)]),
        ])
    }
}
