import Files
import Foundation
import ImageData
import Models
import RunStore
import Settings
import TensorCore

/// Fixed prologue, resampled image: each row holds the first K tokens of one held-out image and draws the rest anew.
///
/// K is the prologue's length; a tokenizer without a prologue holds its first K visual tokens, the paper's control.
struct ResampleStage: Stage {
    let settings: ResampleSettings
    let tokenCount: Int
    let seed: Int
    let prior: PriorStage

    var role: String { "resample" }
    private var tokenizer: TokenizerStage { prior.tokenizer }

    var identity: StageIdentity {
        StageIdentity(
            kind: "resample",
            settings: ["resample": settings.identity, "tokens": .int(tokenCount), "seed": .int(seed)],
            inputs: prior.inputsWithTokens, formatVersion: 1)
    }

    static let pictureFile = "resample.png"
    static let resamplesFile = "resamples.h5"

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let dataset = tokenizer.dataset
        let (layout, file) = (tokenizer.layout, try prior.sequences(context))
        let (model, ar) = (try tokenizer.load(context), try prior.load(context))
        context.progress.note("resample: \(settings.rows) rows of \(settings.columns)")

        // One held-out image of each class that has any, in turn, gives the tokens that its row keeps.
        var members = [[Int]](repeating: [], count: dataset.classes)
        for (index, label) in dataset.test.labels.enumerated() { members[Int(label)].append(index) }
        let present = members.filter { !$0.isEmpty }
        guard !present.isEmpty else { throw InputError("there are no held-out images whose tokens could be kept") }
        if present.count < members.count {
            let absent = members.indices.filter { members[$0].isEmpty }.map { "'\(dataset.test.classNames[$0])'" }
            try work.log(
                "no row for \(absent.prefix(3).joined(separator: ", "))\(absent.count > 3 ? ", …" : ""): no held-out images")
        }
        let sources = (0..<settings.rows).map { row in
            let own = present[row % present.count]
            return own[(row / present.count) % own.count]
        }
        let targets = layout.targets(file.test.batch(sources).indices)
        let kept = layout.hasPrologue ? layout.visualStart : min(tokenCount, layout.length)
        var given = [Int32](repeating: -1, count: settings.rows * settings.columns * layout.length)
        for row in 0..<settings.rows {
            for column in 0..<settings.columns {
                let start = (row * settings.columns + column) * layout.length
                for t in 0..<kept { given[start + t] = targets.ids[row * layout.length + t] }
            }
        }
        var sampler = SamplerSettings()
        sampler.temperature = settings.temperature
        let count = settings.rows * settings.columns
        let labels = (0..<count).map {
            settings.unconditional ? ar.unconditionalLabel : dataset.test.labels[sources[$0 / settings.columns]]
        }
        let ids = try ar.sampler(sampler, batch: min(SampleDrawing.standardBatch, count)).sample(
            labels: labels, seed: seed, given: TokenTensor(given, shape: [count, layout.length]))
        let pixels = try model.decode(layout.visualIndices(ids))
        try HDF5File.write(atomicallyTo: work.url(Self.resamplesFile)) { file in
            try file.write(
                pixels, to: "images",
                shape: [settings.rows, settings.columns, dataset.imageSize, dataset.imageSize, dataset.channels],
                compressed: true, attributes: ["axes": ["source", "draw", "row", "column", "channel"]])
            try file.write(
                sources.map(Int32.init), to: "sources", shape: [settings.rows],
                attributes: ["axes": ["source"], "content": "index among the held-out images"])
            try file.setAttribute("kept_tokens", .int(kept))
        }
        try picture(sources, pixels, kept: layout.hasPrologue ? layout.prologueTokens : kept, to: work.url(Self.pictureFile))
        return ["kept_tokens": .int(kept)]
    }

    private func picture(_ sources: [Int], _ pixels: [UInt8], kept: Int, to url: URL) throws {
        let set = tokenizer.dataset.test
        let size = set.pixelsPerImage
        var all: [UInt8] = []
        for (row, source) in sources.prefix(ImageGrid.capacity(of: set) / (settings.columns + 1) + 1).enumerated() {
            all += try set.pixels(of: [source])
            all += pixels[row * settings.columns * size..<(row + 1) * settings.columns * size]
        }
        let what = tokenizer.layout.hasPrologue ? "prologue" : "first \(kept) tokens"
        let grid = ImageGrid(
            columns: settings.columns + 1,
            columnLabels: ["source"] + (1...settings.columns).map { "draw \($0)" },
            title: "\(tokenizer.settings.variant.rawValue): same \(what), rest resampled"
                + (settings.unconditional ? ", no class given" : ""))
        try PNG.write(grid.picture(all, height: set.height, width: set.width, channels: set.channels), to: url)
    }
}

extension ResampleStage {
    var picture: (file: String, description: String)? {
        (Self.pictureFile, "each row keeps the first tokens of one image and draws the rest anew")
    }

    var cost: StageCost? {
        let (tokenizer, count) = (prior.tokenizer, settings.rows * settings.columns)
        let (drawing, decoding, dataset) = (
            prior.drawing(SamplerSettings(), count: count), tokenizer.decoding, tokenizer.dataset
        )
        let pixels = Double(count * dataset.imageSize * dataset.imageSize * dataset.channels)
        let parameters = drawing.parameters + decoding.parameters
        let held = max(drawing.held, Double(count) * decoding.held)
        return StageCost(
            parameters: parameters, tokens: count * tokenizer.layout.length,
            flops: Double(count) * (drawing.flops + decoding.flops),
            memory: 4 * (Double(parameters + tokenizer.encoding.parameters) + held) + pixels, disk: pixels)
    }
}
