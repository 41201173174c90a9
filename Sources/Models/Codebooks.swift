import Foundation
import NN
import TensorCore

/// Where codes are: what hidden states become among them, and which code is nearest.
///
/// The *similarity* of a point z and a code c is −½‖z − c‖², but for a part that depends on z only and that softmax and
/// argmax do not see: the cosine where both are unit vectors.
protocol Codebook {
    var codes: Int { get }
    /// h [B, L, D] → points [B, L, z].
    func points(_ h: Tensor, on tape: Tape?) -> Tensor
    /// Code vectors [codes, z].
    func rows(on tape: Tape?) -> Tensor
    /// Similarities [B, L, codes] of points with all rows.
    func similarities(_ points: Tensor, rows: Tensor) -> Tensor
}

extension Codebook {
    /// Code vectors of indices, [..., z].
    func vectors(_ indices: TokenTensor) -> Tensor { embedding(indices, table: rows(on: nil)) }
}

/// Learned codes on the unit sphere: z = linear(h), L2-normalised, as are the rows (method §3.8).
struct SphericalCodebook: Codebook {
    let projection: Linear
    let embedding: Parameter

    init(_ name: String, from width: Int, codes: Int, codeWidth: Int, in builder: ParameterBuilder) {
        projection = Linear("\(name).proj_in", from: width, to: codeWidth, in: builder)
        embedding = builder.normal(
            "\(name).embedding.weight", [codes, codeWidth], deviation: 1 / Float(codeWidth).squareRoot())
    }

    var codes: Int { embedding.shape[0] }

    func points(_ h: Tensor, on tape: Tape?) -> Tensor { l2Normalize(projection(h, on: tape)) }

    func rows(on tape: Tape?) -> Tensor { l2Normalize(embedding(on: tape)) }

    func similarities(_ points: Tensor, rows: Tensor) -> Tensor { linear(points, weight: rows) }
}

/// Codes that are not learned but enumerated: all combinations of a few values per channel. Code k has the value number
/// (k / Π_{j<i} levelsⱼ) mod levelsᵢ in channel i.
protocol ProductCodebook: Codebook {
    var table: Tensor { get }
    var levels: [Int] { get }
    /// How the nearest value of a channel is found.
    var quantization: ProductQuantization { get }
}

extension ProductCodebook {
    var codes: Int { table.shape[0] }

    func rows(on tape: Tape?) -> Tensor { table }

    /// Nearest code of each point [B, L, z] → [B, L].
    func nearest(_ points: Tensor) -> TokenTensor { quantization.codes(of: points, levels: levels) }

    /// [codes, channels] of the values per channel.
    static func table(_ values: [[Float]]) -> Tensor {
        let codes = values.reduce(1) { $0 * $1.count }
        let rows = (0..<codes).flatMap { code -> [Float] in
            var rest = code
            return values.map { values in
                defer { rest /= values.count }
                return values[rest % values.count]
            }
        }
        return Tensor(rows, shape: [codes, values.count])
    }
}

/// Corners of a cube on the unit sphere, for lookup-free quantization (Yu et al. 2023, arXiv 2310.05737): z = linear(h)
/// to log₂(codes) channels, L2-normalised; the code is sign(z)/√channels, bit i set where zᵢ > 0.
struct BinaryCodebook: ProductCodebook {
    let projection: Linear
    let table: Tensor
    let levels: [Int]

    /// `codes` is a power of two.
    init(_ name: String, from width: Int, codes: Int, in builder: ParameterBuilder) {
        let bits = BinaryCodebook.bits(codes)
        projection = Linear("\(name).proj_in", from: width, to: bits, in: builder)
        levels = [Int](repeating: 2, count: bits)
        let value = 1 / Float(bits).squareRoot()
        table = builder.constant([codes, bits]) { Self.table([[Float]](repeating: [-value, value], count: bits)) }
    }

    static func bits(_ codes: Int) -> Int {
        require(codes > 1 && codes & (codes - 1) == 0, "\(codes) codes are not a power of two")
        return codes.trailingZeroBitCount
    }

    var quantization: ProductQuantization { .signs }

    func points(_ h: Tensor, on tape: Tape?) -> Tensor { l2Normalize(projection(h, on: tape)) }

    func similarities(_ points: Tensor, rows: Tensor) -> Tensor { linear(points, weight: rows) }
}

/// Grid points, for finite scalar quantization (Mentzer et al. 2023, arXiv 2309.15505): z = linear(h), channel i bounded
/// to its L levels as half·tanh(z + shift) − offset with half = (L − 1)(1 − 10⁻³)/2, offset ½ for even L, else 0, and
/// shift = artanh(offset/half), so that 0 stays 0; then rounded. Codes are in units of ⌊L/2⌋, hence within [−1, 1].
struct GridCodebook: ProductCodebook {
    let projection: Linear
    let table: Tensor
    let levels: [Int]
    private let scale, shift, offset: [Float]
    private let halfNorms: Tensor

    /// `levels` are 3 or more each.
    init(_ name: String, from width: Int, levels: [Int], in builder: ParameterBuilder) {
        require(!levels.isEmpty && levels.allSatisfy { $0 >= 3 }, "levels \(levels) are not 3 or more each")
        projection = Linear("\(name).proj_in", from: width, to: levels.count, in: builder)
        self.levels = levels
        let half = levels.map { Double($0 - 1) * (1 - 1e-3) / 2 }
        let offsets = levels.map { $0.isMultiple(of: 2) ? 0.5 : 0.0 }
        let units = levels.map { Double($0 / 2) }
        shift = zip(offsets, half).map { Float(atanh($0 / $1)) }
        scale = zip(half, units).map { Float($0 / $1) }
        offset = zip(offsets, units).map { Float($0 / $1) }
        let codes = levels.reduce(1, *)
        table = builder.constant([codes, levels.count]) {
            Self.table(levels.map { level in (0..<level).map { Float($0 - level / 2) / Float(level / 2) } })
        }
        let (table, width) = (table, levels.count)
        halfNorms = builder.constant([codes]) {
            let values = table.values
            return Tensor(
                (0..<codes).map { row in
                    (0..<width).reduce(0) { $0 - 0.5 * values[row * width + $1] * values[row * width + $1] }
                }, shape: [codes])
        }
    }

    var quantization: ProductQuantization { .grid }

    func points(_ h: Tensor, on tape: Tape?) -> Tensor {
        scaledTanh(projection(h, on: tape), scale: scale, shift: shift, offset: offset)
    }

    /// ⟨z, c⟩ − ½‖c‖².
    func similarities(_ points: Tensor, rows: Tensor) -> Tensor {
        linear(points, weight: rows, bias: halfNorms)
    }
}
