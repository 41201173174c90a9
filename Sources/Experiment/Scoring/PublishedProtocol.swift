import Files
import Settings

/// Whether scores in Inception's features compare with published ones (method §6.1).
///
/// They do where everything is as in ADM's evaluation: 50 000 samples, as many of each of 1000 classes, colour images of 256 pixels,
/// stored statistics of the reference. That the weights are the right ones nobody can tell but the user; their digest is in the protocol.
struct PublishedProtocol {
    /// Why they do not compare; empty where they do.
    private(set) var obstacles: [String] = []

    static let count = 50_000
    static let classes = 1000
    static let side = 256

    /// Of samples, drawn with classes in turn: each tenth of them has as many of every class, as a shuffled file has by chance.
    init(samples count: Int, of dataset: Dataset, sampler: SamplerSettings, _ reference: ReferenceStage?) {
        require(count == Self.count, "\(count) samples, not \(Self.count)")
        requireImageNet(dataset)
        require(!sampler.unconditional, "samples without a class")
        require(reference != nil, "held-out images as the reference, not stored statistics (scores.reference)")
    }

    /// Of samples under settings that one half of the reference's images has chosen, compared with the other half.
    init(tunedOnHalves count: Int, of dataset: Dataset, sampler: SamplerSettings, _ reference: ReferenceStage?) {
        self.init(samples: count, of: dataset, sampler: sampler, reference)
        require(false, "one half of the reference's images chose, the other is compared with; published scores choose and compare with all")
    }

    /// Of reconstructions of held-out images.
    init(reconstructions count: Int, of dataset: Dataset) {
        require(count == Self.count, "\(count) held-out images, not \(Self.count)")
        requireImageNet(dataset)
    }

    private mutating func requireImageNet(_ dataset: Dataset) {
        require(dataset.classes == Self.classes, "\(dataset.classes) classes, not \(Self.classes)")
        let size = "\(dataset.imageSize)×\(dataset.imageSize)×\(dataset.channels)"
        require(size == "\(Self.side)×\(Self.side)×3", "images of \(size), not \(Self.side)×\(Self.side)×3")
    }

    private mutating func require(_ holds: Bool, _ obstacle: String) {
        if !holds { obstacles.append(obstacle) }
    }

    /// As a protocol has it, under `published`.
    var member: JSONValue { .string(obstacles.isEmpty ? "comparable" : "not comparable: \(obstacles.joined(separator: "; "))") }
}
