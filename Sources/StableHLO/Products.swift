/// How exactly a product of float32 numbers is computed.
public enum ProductPrecision: String, Sendable {
    /// As fast as the device likes.
    case `default` = "DEFAULT"
    /// In float32 throughout.
    case highest = "HIGHEST"
}

/// Where the windows of a convolution lie.
public struct ConvolutionWindow: Sendable, Equatable {
    /// Steps between windows, by axis.
    public var strides: [Int]
    /// Zeros before and behind, by axis.
    public var padding: [(low: Int, high: Int)]
    /// Distance of the entries of the image and of the kernel; 1 is dense.
    public var imageDilation: [Int]
    public var kernelDilation: [Int]
    /// Channels are split into so many groups.
    public var groups: Int

    public init(
        strides: [Int], padding: [(low: Int, high: Int)], imageDilation: [Int]? = nil, kernelDilation: [Int]? = nil, groups: Int = 1
    ) {
        self.strides = strides
        self.padding = padding
        self.imageDilation = imageDilation ?? strides.map { _ in 1 }
        self.kernelDilation = kernelDilation ?? strides.map { _ in 1 }
        self.groups = groups
    }

    public static func == (a: Self, b: Self) -> Bool {
        a.strides == b.strides && a.padding.elementsEqual(b.padding, by: ==) && a.imageDilation == b.imageDilation
            && a.kernelDilation == b.kernelDilation && a.groups == b.groups
    }
}

extension Function {
    /// Sums of products over the `contracting` axes of both; axes: batch, the rest of `a`, the rest of `b`.
    public func dot(
        _ a: Value, _ b: Value, contracting: ([Int], [Int]), batch: ([Int], [Int]) = ([], []), result element: Element? = nil,
        precision: ProductPrecision = .highest
    ) -> Value {
        func sizes(_ value: Value, _ axes: [Int]) -> [Int] { axes.map { value.shape[$0] } }
        require(
            sizes(a, contracting.0) == sizes(b, contracting.1) && sizes(a, batch.0) == sizes(b, batch.1) && a.element == b.element,
            "dot of \(a.type) and \(b.type) over axes \(contracting), batch \(batch)")
        func rest(_ value: Value, _ used: [Int]) -> [Int] { value.shape.indices.filter { !used.contains($0) }.map { value.shape[$0] } }
        let shape = sizes(a, batch.0) + rest(a, batch.0 + contracting.0) + rest(b, batch.1 + contracting.1)
        let result = TensorType(shape, element ?? a.element)
        let batching = batch.0.isEmpty ? "" : "batching_dims = \(batch.0) x \(batch.1), "
        return emit(
            "dot_general \(a.name), \(b.name), \(batching)contracting_dims = \(contracting.0) x \(contracting.1), "
                + "precision = [\(precision.rawValue), \(precision.rawValue)] : \(signature([a, b], result))", result)
    }

    /// `image` [batch, height, width, in] with `kernel` [height, width, in / groups, out] → [batch, height, width, out].
    public func convolution(
        _ image: Value, _ kernel: Value, _ window: ConvolutionWindow, result element: Element? = nil,
        precision: ProductPrecision = .highest
    ) -> Value {
        require(
            image.type.rank == 4 && kernel.type.rank == 4 && image.shape[3] == kernel.shape[2] * window.groups
                && image.element == kernel.element,
            "convolution of \(image.type) with \(kernel.type) in \(window.groups) groups")
        func length(_ axis: Int) -> Int {
            let given = (image.shape[axis + 1] - 1) * window.imageDilation[axis] + 1
            let kernel = (kernel.shape[axis] - 1) * window.kernelDilation[axis] + 1
            return (given + window.padding[axis].low + window.padding[axis].high - kernel) / window.strides[axis] + 1
        }
        let result = TensorType([image.shape[0], length(0), length(1), kernel.shape[3]], element ?? image.element)
        let padding = window.padding.map { "[\($0.low), \($0.high)]" }.joined(separator: ", ")
        return emit(
            "convolution(\(image.name), \(kernel.name)) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], "
                + "window = {stride = \(window.strides), pad = [\(padding)], lhs_dilate = \(window.imageDilation), "
                + "rhs_dilate = \(window.kernelDilation)} {batch_group_count = 1 : i64, feature_group_count = \(window.groups) : i64, "
                + "precision_config = [#stablehlo<precision \(precision.rawValue)>, #stablehlo<precision \(precision.rawValue)>]} : "
                + signature([image, kernel], result), result)
    }
}
