import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// Where the prior looks while it predicts visual tokens: at the prologue, and how far away among visual tokens.
struct AttentionStage: Stage {
    let settings: SemanticsSettings
    let prior: PriorStage

    var role: String { "attention" }
    private var tokenizer: TokenizerStage { prior.tokenizer }

    var identity: StageIdentity {
        StageIdentity(
            kind: "attention", settings: ["images": .int(settings.attentionImages)], inputs: prior.inputsWithTokens,
            formatVersion: 2)
    }

    static let file = "attention.h5"
    static let pictureFile = "attention.png"

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let layout = tokenizer.layout
        let half = try prior.sequences(context).test
        let count = min(settings.attentionImages, half.count)
        context.progress.note("attention: \(count) held-out images")
        let model = try prior.load(context)
        let batch = half.batch((0..<count).map { $0 * half.count / count })
        let maps = try model.attentionMaps(targets: layout.targets(batch.indices), labels: batch.labels)
        let summary = AttentionSummary(maps, layout, grid: tokenizer.config.grid)
        try HDF5File.write(atomicallyTo: work.url(Self.file)) { file in
            try file.write(
                maps.values, to: "maps", shape: maps.shape, compressed: true,
                attributes: [
                    "axes": ["layer", "head", "predicted token", "attended input"],
                    "content": "mean attention probability; input 0 is BOS, input j is token j - 1",
                ])
            for (name, _, values) in summary.perHead {
                try file.write(values, to: name, shape: [maps.shape[0], maps.shape[1]], attributes: ["axes": ["layer", "head"]])
            }
        }
        var values: [String: Double?] = [:]
        for (_, measure, heads) in summary.perHead {
            values.note(measure, heads.reduce(0, +) / Double(heads.count))
            for layer in 0..<maps.shape[0] {
                let own = heads[layer * maps.shape[1]..<(layer + 1) * maps.shape[1]]
                values.note(measure, [.layer: "\(layer)"], own.reduce(0, +) / Double(own.count))
            }
        }
        try work.save(Scores(protocol: ["count": .int(count)], values: values), named: "attention")
        try picture(maps, layout, to: work.url(Self.pictureFile))
        return ["count": .int(count)]
    }

    /// For each layer and head a row, for each of the first tokens (prologue, or the first visual ones) a column: how much
    /// each visual position attends to that token, on a grid; white is the row's largest value.
    private func picture(_ maps: Tensor, _ layout: SequenceLayout, to url: URL) throws {
        let (layers, heads, length) = (maps.shape[0], maps.shape[1], maps.shape[2])
        let grid = Int(Double(layout.visualTokens).squareRoot())
        let columns = min(12, layout.hasPrologue ? layout.prologueTokens : 8, length - 1)
        let zoom = max(1, 24 / grid)
        let values = maps.values
        var pixels: [UInt8] = []
        for head in 0..<layers * heads {
            let cells = (0..<columns).map { column in
                (0..<layout.visualTokens).map { values[(head * length + layout.visualStart + $0) * length + column + 1] }
            }
            let largest = max(cells.joined().max() ?? 0, 1e-9)
            for cell in cells {
                for y in 0..<grid * zoom {
                    for x in 0..<grid * zoom { pixels.append(UInt8(255 * cell[y / zoom * grid + x / zoom] / largest)) }
                }
            }
        }
        let what = layout.hasPrologue ? "prologue token" : "first visual token"
        let picture = ImageGrid(
            columns: columns, scale: 2, rowLabels: (0..<layers * heads).map { "layer \($0 / heads) head \($0 % heads)" },
            columnLabels: (0..<columns).map { "\($0)" },
            title: "\(tokenizer.settings.variant.rawValue): attention to each \(what)")
        try PNG.write(picture.picture(pixels, height: grid * zoom, width: grid * zoom, channels: 1), to: url)
    }
}

/// Attention maps in a few numbers per layer and head, averaged over the predictions of visual tokens.
struct AttentionSummary {
    /// By the name in the stage's file, [layers · heads].
    let perHead: [(name: String, measure: Measure, values: [Double])]

    /// - Parameters:
    ///   - maps: [layers, heads, T, T], as `ARModel.attentionMaps` gives them.
    ///   - grid: side of the grid of visual tokens.
    init(_ maps: Tensor, _ layout: SequenceLayout, grid: Int) {
        let (heads, length) = (maps.shape[0] * maps.shape[1], maps.shape[2])
        let values = maps.values
        func mean(_ value: ([Float], Int) -> Double?) -> [Double] {
            (0..<heads).map { head in
                let found = (layout.visualStart..<length).compactMap { query in
                    let start = (head * length + query) * length
                    return value(Array(values[start..<start + length]), query)
                }
                return found.isEmpty ? 0 : found.reduce(0, +) / Double(found.count)
            }
        }
        // Input j holds token j − 1.
        func place(_ token: Int) -> (row: Int, column: Int) {
            let visual = token - layout.visualStart
            return (visual / grid, visual % grid)
        }
        let firstVisualInput = layout.visualStart + 1
        /// Mean distance in patches between the predicted place and the places attended to, visual tokens only.
        func distance(from query: Int, weight: (Int) -> Double) -> Double? {
            guard query >= firstVisualInput else { return nil }
            let own = place(query)
            var (sum, total) = (0.0, 0.0)
            for input in firstVisualInput...query {
                let other = place(input - 1)
                let (dy, dx) = (Double(own.row - other.row), Double(own.column - other.column))
                sum += weight(input) * (dy * dy + dx * dx).squareRoot()
                total += weight(input)
            }
            return total > 0 ? sum / total : nil
        }
        perHead = [
            (
                "prologue_share", .attentionPrologueShare,
                mean { row, _ in (0..<layout.prologueTokens).reduce(0) { $0 + Double(row[$1 + 1]) } }
            ),
            ("bos_share", .attentionBOSShare, mean { row, _ in Double(row[0]) }),
            (
                "visual_share", .attentionVisualShare,
                mean { row, query in
                    query < firstVisualInput ? 0 : (firstVisualInput...query).reduce(0) { $0 + Double(row[$1]) }
                }
            ),
            ("distance", .attentionDistance, mean { row, query in distance(from: query) { Double(row[$0]) } }),
            // The same for attention that is spread evenly over all that can be attended to.
            ("distance_even", .attentionDistanceEven, mean { _, query in distance(from: query) { _ in 1 } }),
            ("prologue_share_even", .attentionPrologueShareEven, mean { _, query in Double(layout.prologueTokens) / Double(query + 1) }),
        ]
    }
}

extension AttentionStage {
    var picture: (file: String, description: String)? {
        (Self.pictureFile, "how much each visual position attends to each of the first tokens, by layer and head")
    }
}
