import Foundation

/// Class probabilities of rows of float64 logits, made as they are read. Features of images, and the fits of probes, have a softmax
/// of their own: they subtract and sum in other precisions, on which the bits of stored scores depend.
public struct SoftmaxRows<Logits: FeatureRows>: FeatureRows {
    private let logits: Logits
    public var rows: Int { logits.rows }
    public var columns: Int { logits.columns }

    public init(_ logits: Logits) { self.logits = logits }

    public func copy(rows range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        logits.copy(rows: range, into: target)
        for row in 0..<range.count {
            let values = UnsafeMutableBufferPointer(start: target + row * columns, count: columns)
            let top = values.max() ?? 0
            var sum = 0.0
            for i in values.indices {
                values[i] = exp(values[i] - top)
                sum += values[i]
            }
            for i in values.indices { values[i] /= sum }
        }
    }
}
