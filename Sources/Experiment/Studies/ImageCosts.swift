import Evaluation
import Foundation
import ImageData
import Metrics
import Models
import TensorCore

/// The parts of −ELBO of held-out images, in nats per image: what the prior pays for their tokens, and what their
/// reconstructions leave to be said.
struct ImageCosts {
    /// Per image: prologue with EOS; visual tokens given it. `class` and `noclass` say what the prior was told.
    let prior: [(mode: String, prologue: [Double], visual: [Double])]
    /// Mean cross-entropy of each token, [T].
    let perToken: [(mode: String, nats: [Double])]
    /// Per image, under a Laplace distribution around the reconstruction; nil where reconstructions are perfect.
    let reconstruction: [Double]?

    init(_ half: TokenFile.Half, count: Int, _ ar: TrainedPrior, _ layout: SequenceLayout) throws {
        var (prior, perToken) = ([(mode: String, prologue: [Double], visual: [Double])](), [(mode: String, nats: [Double])]())
        for mode in ["class", "noclass"] {
            var (sums, prologue, visual) = ([Double](repeating: 0, count: layout.length), [Double](), [Double]())
            for lower in stride(from: 0, to: count, by: 250) {
                let batch = half.batch(Array(lower..<min(count, lower + 250)))
                let labels =
                    mode == "class"
                    ? batch.labels : TokenTensor(repeating: ar.unconditionalLabel, shape: batch.labels.shape)
                let nats = try ar.crossEntropy(targets: layout.targets(batch.indices), labels: labels)
                let values = nats.values.map(Double.init)
                for row in 0..<values.count / layout.length {
                    let own = Array(values[row * layout.length..<(row + 1) * layout.length])
                    for t in own.indices { sums[t] += own[t] }
                    prologue.append(own[..<layout.visualStart].reduce(0, +))
                    visual.append(own[layout.visualStart...].reduce(0, +))
                }
            }
            prior.append((mode, prologue, visual))
            perToken.append((mode, sums.map { $0 / Double(count) }))
        }
        (self.prior, self.perToken, reconstruction) = (prior, perToken, nil)
    }

    private init(_ other: ImageCosts, reconstruction: [Double]?) {
        (prior, perToken, self.reconstruction) = (other.prior, other.perToken, reconstruction)
    }

    /// With reconstruction: −log p(x | tokens) for a Laplace distribution of every pixel around its reconstruction, with the
    /// one scale b for all images that makes it smallest, the mean absolute error. In levels of 0…255 that is
    /// D·log 2b + Σ|x − x̂|/b nats for D pixel values, as a density at whole levels stands for the probability of a level.
    func adding(images: [UInt8], reconstructions: [UInt8], count: Int) -> ImageCosts {
        precondition(images.count == reconstructions.count && count > 0, "images and their reconstructions")
        let size = images.count / count
        let errors = (0..<count).map { image in
            (image * size..<(image + 1) * size).reduce(0) { $0 + abs(Int(images[$1]) - Int(reconstructions[$1])) }
        }
        let scale = Double(errors.reduce(0, +)) / Double(images.count)
        guard scale > 0 else { return self }
        return ImageCosts(self, reconstruction: errors.map { Double(size) * log(2 * scale) + Double($0) / scale })
    }

    /// Notes means over images with 95 % bootstrap intervals.
    func note(in values: inout [String: Double?]) {
        func note(_ measure: Measure, _ fields: [MetricField: String], _ images: [Double]) {
            values.note(
                measure, fields, images.reduce(0, +) / Double(max(1, images.count)),
                in: bootstrapInterval(of: images, resamples: 500))
        }
        if let reconstruction { note(.reconstructionCost, [:], reconstruction) }
        for (mode, prologue, visual) in prior {
            let tokens = zip(prologue, visual).map { $0 + $1 }
            var parts = [("prologue", prologue), ("visual", visual), ("tokens", tokens)]
            if let reconstruction { parts.append(("total", zip(reconstruction, tokens).map { $0 + $1 })) }
            for (segment, images) in parts { note(.cost, [.segment: segment, .told: mode], images) }
        }
    }
}
