import CKernels
import Foundation

/// How a token is drawn from logits: temperature, then the `topK` likeliest (0: all), of these the likeliest up to probability
/// `topP`, the one that crosses it included (1: all).
public struct TokenDraw: Sendable {
    public var temperature: Double
    public var topK: Int
    public var topP: Double

    public init(temperature: Double = 1, topK: Int = 0, topP: Double = 1) {
        (self.temperature, self.topK, self.topP) = (temperature, topK, topP)
    }

    /// A token for each row of logits [..., V]: the one whose share of the cumulative probability holds the row's number in
    /// `uniforms`, from 0 to below 1.
    public func callAsFunction(_ logits: Tensor, uniforms: [Double]) -> [Int] {
        requireValues(logits)
        require(uniforms.count == logits.rows, "\(uniforms.count) numbers do not choose from \(logits.shape)")
        var tokens = [Int](repeating: 0, count: uniforms.count)
        tokens.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let tokens = buffer
            Parallel.ranges(uniforms.count, grain: 4) { range in
                for i in range {
                    tokens[i] = draw(
                        UnsafeBufferPointer(start: logits.pointer + i * logits.width, count: logits.width), uniforms[i])
                }
            }
        }
        return tokens
    }

    private func draw(_ logits: UnsafeBufferPointer<Float>, _ uniform: Double) -> Int {
        if topK == 1 || temperature == 0 {
            var index: Int32 = 0
            argmax_rows(&index, logits.baseAddress!, 1, logits.count)
            return Int(index)
        }
        let top = Double(logits.max() ?? 0)
        var weights = logits.map { exp((Double($0) - top) / temperature) }
        if topK > 0 && topK < weights.count || topP < 1 {
            let order = weights.indices.sorted { (weights[$0], $1) > (weights[$1], $0) }
            var kept = topK > 0 ? min(topK, order.count) : order.count
            if topP < 1 {
                let total = order.prefix(kept).reduce(0) { $0 + weights[$1] }
                var sum = 0.0
                for (rank, index) in order.prefix(kept).enumerated() {
                    sum += weights[index] / total
                    if sum >= topP {
                        kept = rank + 1
                        break
                    }
                }
            }
            for index in order.dropFirst(kept) { weights[index] = 0 }
        }
        let threshold = uniform * weights.reduce(0, +)
        var sum = 0.0
        var last = 0
        for (index, weight) in weights.enumerated() where weight > 0 {
            sum += weight
            last = index
            if sum > threshold { return index }
        }
        return last
    }
}
