import Files
import Foundation
import ImageData
import Models
import RunStore
import Settings
import TensorCore

/// Stage 2: one pass over the data with the trained tokenizer; indices and labels of both halves. With ten crops the
/// training half has the middle of every image first, then every next crop of them all; held-out images show their middle.
struct TokenStage: Stage {
    let settings: TokenSettings
    let tokenizer: TokenizerStage

    private static let partName = "encoded"

    var role: String { "tokens" }

    var identity: StageIdentity {
        var read = tokenizer.weightIdentity
        if settings.crops == .ten { read["crops"] = 10 }
        if !tokenizer.coversData { read["data"] = tokenizer.dataset.identity }
        return StageIdentity(
            kind: "tokens", settings: .object(read), inputs: ["tokenizer": tokenizer.id], formatVersion: 1)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let model = try tokenizer.load(context)
        let dataset = tokenizer.dataset
        let views = settings.crops == .ten ? PictureView.ten : [PictureView()]
        let all = views.count * dataset.train.count + dataset.test.count
        context.progress.note("tokens: encoding \(all) images")
        let width = tokenizer.layout.prologueTokens + tokenizer.layout.visualTokens
        // Of all halves and views, one after the other.
        var ids: [Int32] = []
        var parts = KeptParts(work, named: Self.partName, on: model.deviceName)
        try parts.restore { ids += try $0.read("tokens", as: Int32.self).values }
        let halves = [("train", dataset.train, views), ("test", dataset.test, [PictureView()])]
        var first = 0
        func write(_ part: Range<Int>, _ file: HDF5File) throws {
            try file.write(Array(ids[part.lowerBound * width..<part.upperBound * width]), to: "tokens", shape: [part.count, width])
        }
        do {
            for (set, view) in halves.flatMap({ half in half.2.map { (half.1, $0) } }) {
                try model.encode(set, of: dataset, view: view, from: max(0, min(set.count, parts.end - first))) { batch in
                    ids += batch
                    let done = ids.count / width
                    if parts.isDue { try parts.keep(through: done, write) }
                    try work.report(Status(.running, step: done, of: all))
                }
                first += set.count
            }
        } catch is Interrupted {
            try parts.keep(through: ids.count / width, write)
            throw Interrupted()
        }
        try HDF5File.write(atomicallyTo: work.url(TokenFile.name)) { file in
            var rest = ids[...]
            for (half, set, views) in halves {
                let labels = views.flatMap { _ in set.labels }
                try file.write(
                    Array(rest.prefix(labels.count * width)), to: "\(half)_indices", shape: [labels.count, width], compressed: true,
                    attributes: ["axes": ["image", "token"], "content": "prologue then visual codes"])
                try file.write(labels, to: "\(half)_labels", shape: [labels.count], attributes: ["axes": ["image"]])
                rest = rest.dropFirst(labels.count * width)
            }
        }
        return dataset.noted(in: ["train": .int(views.count * dataset.train.count), "test": .int(dataset.test.count)])
    }

    func load(_ context: ExperimentContext) throws -> TokenFile {
        try TokenFile(reading: context.store.stage(identity).verified(TokenFile.name))
    }
}

/// Stored tokens of a data set.
struct TokenFile {
    static let name = "tokens.h5"

    struct Half {
        /// Prologue then visual codes, [n, K + N].
        let indices: TokenTensor
        let labels: [Int32]
        var count: Int { labels.count }

        /// About `count` rows spread evenly over the classes, in file order within each.
        func balanced(_ count: Int, classes: Int) -> [Int] {
            var taken = [Int](repeating: 0, count: classes)
            let each = (min(count, self.count) + classes - 1) / classes
            return labels.indices.filter { row in
                let label = Int(labels[row])
                taken[label] += 1
                return taken[label] <= each
            }
        }

        func batch(_ rows: [Int]) -> (indices: TokenTensor, labels: TokenTensor) {
            let width = indices.shape[1]
            var ids: [Int32] = []
            ids.reserveCapacity(rows.count * width)
            for row in rows { ids += indices.ids[row * width..<(row + 1) * width] }
            return (
                TokenTensor(ids, shape: [rows.count, width]),
                TokenTensor(rows.map { labels[$0] }, shape: [rows.count])
            )
        }
    }

    let train, test: Half

    /// No tokens of sequences of this layout.
    static func empty(width layout: SequenceLayout) -> TokenFile {
        let none = Half(
            indices: TokenTensor([], shape: [0, layout.prologueTokens + layout.visualTokens]), labels: [])
        return TokenFile(train: none, test: none)
    }

    /// With the prologue's tokens in another order: `order` says which stands at each place.
    func reordered(_ order: [Int]) -> TokenFile {
        func half(_ half: Half) -> Half {
            let width = half.indices.shape[1]
            var ids = half.indices.ids
            for row in stride(from: 0, to: ids.count, by: width) {
                for (place, position) in order.enumerated() { ids[row + place] = half.indices.ids[row + position] }
            }
            return Half(indices: TokenTensor(ids, shape: half.indices.shape), labels: half.labels)
        }
        return TokenFile(train: half(train), test: half(test))
    }

    private init(train: Half, test: Half) { (self.train, self.test) = (train, test) }

    init(reading url: URL) throws {
        let file = try HDF5File(reading: url)
        func half(_ name: String) throws -> Half {
            let indices = try file.read("\(name)_indices", as: Int32.self, shape: [nil, nil])
            let labels = try file.read("\(name)_labels", as: Int32.self, shape: [indices.shape[0]])
            return Half(indices: TokenTensor(indices.values, shape: indices.shape), labels: labels.values)
        }
        train = try half("train")
        test = try half("test")
        try file.close()
    }
}

extension TokenStage {
    var cost: StageCost? {
        let (counts, encoding) = (tokenizer.dataset.counts, tokenizer.encoding)
        let images = counts.train * (settings.crops == .ten ? 10 : 1) + counts.test
        let width = tokenizer.layout.prologueTokens + tokenizer.layout.visualTokens
        let size = 4 * Double(images) * Double(width + 1)
        return StageCost(
            parameters: encoding.parameters, tokens: images * width, flops: Double(images) * encoding.flops,
            memory: 4 * (Double(encoding.parameters) + Double(TrainedTokenizer.batch) * encoding.held) + size, disk: size, scratch: size)
    }
}
