import Files
import Foundation
import Models
import RunStore
import TensorCore

/// Stage 2: one pass over the data with the averaged tokenizer; indices and labels of both halves.
struct TokenStage: Stage {
    let tokenizer: TokenizerStage

    var role: String { "tokens" }

    var identity: StageIdentity {
        StageIdentity(kind: "tokens", settings: [:], inputs: ["tokenizer": tokenizer.id], formatVersion: 1)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let model = try tokenizer.load(context)
        let dataset = tokenizer.dataset
        context.progress.note("tokens: encoding \(dataset.train.count + dataset.test.count) images")
        try HDF5File.write(atomicallyTo: work.url(TokenFile.name)) { file in
            for (half, set) in [("train", dataset.train), ("test", dataset.test)] {
                let indices = model.encode(set, of: dataset)
                try file.write(
                    indices.ids, to: "\(half)_indices", shape: indices.shape, compressed: true,
                    attributes: ["axes": ["image", "token"], "content": "prologue then visual codes"])
                try file.write(set.labels, to: "\(half)_labels", shape: [set.count], attributes: ["axes": ["image"]])
            }
        }
        return ["train": .int(dataset.train.count), "test": .int(dataset.test.count)]
    }

    func load(_ context: ExperimentContext) throws -> TokenFile {
        try TokenFile(reading: context.store.stage(identity).url(TokenFile.name))
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

    private init(train: Half, test: Half) { (self.train, self.test) = (train, test) }

    init(reading url: URL) throws {
        let file = try HDF5File(reading: url)
        func half(_ name: String) throws -> Half {
            let indices: HDF5Array<Int32> = try file.read("\(name)_indices")
            let labels: HDF5Array<Int32> = try file.read("\(name)_labels")
            return Half(indices: TokenTensor(indices.values, shape: indices.shape), labels: labels.values)
        }
        train = try half("train")
        test = try half("test")
        try file.close()
    }
}
