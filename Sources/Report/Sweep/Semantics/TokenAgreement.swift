import Evaluation
import Experiment
import RunStore

/// Whether tokenizers of different seeds cut the images up alike: no stage can say, since each knows one seed.
enum TokenAgreement {
    /// Held-out images that are compared, and visual positions, at most.
    private static let images = 2000, positions = 16

    /// A row for each arm of two seeds or more whose tokens are in the store; nil where there is none.
    static func table(_ results: SweepResults, in store: Store) -> Table? {
        var table = Table(columns: [
            .text("tokens"), .text("arm"), .number("agreement", decimals: 3), .number("pairs of seeds", decimals: 0),
        ])
        for segment in ["prologue", "visual"] {
            for arm in results.arms {
                let columns = arm.runs.compactMap { run in
                    run.stages["tokens"].flatMap { stage in Self.columns(segment, of: stage.id, run, store) }
                }
                let pairs = zip(columns, columns.dropFirst()).filter { $0.0.count == $0.1.count && !$0.0.isEmpty }
                guard !pairs.isEmpty else { continue }
                let values = pairs.map { agreement($0.0, $0.1) }
                table.add([
                    .text(segment), .text(arm.label), values.count > 1 ? .estimate(Estimate(of: values)) : .number(values[0]),
                    .number(values.count),
                ])
            }
        }
        return table.rows.isEmpty ? nil : table
    }

    /// The mean over positions that are paired as suits best.
    static func agreement(_ a: [[Int32]], _ b: [[Int32]]) -> Double {
        let values = a.map { own in b.map { adjustedMutualInformation(own, $0) } }
        let matching = bestMatching(values)
        return matching.enumerated().reduce(0) { $0 + values[$1.offset][$1.element] } / Double(max(1, a.count))
    }

    /// Held-out tokens by position; those that are missing or damaged are left out.
    private static func columns(_ segment: String, of id: String, _ run: SweepResults.Run, _ store: Store) -> [[Int32]]? {
        guard let file = try? HDF5File(reading: store.stage(id: id).verified("tokens.h5")),
            let indices = try? file.read("test_indices", as: Int32.self, shape: [nil, nil])
        else { return nil }
        let hasPrologue = run.value(of: "tokenizer.variant")?.stringValue?.hasPrefix("prologue") == true
        let k = hasPrologue ? run.value(of: "tokenizer.prologue_tokens")?.intValue ?? 0 : 0
        let (rows, width) = (min(images, indices.shape[0]), indices.shape[1])
        guard rows > 0 else { return nil }
        let places = segment == "prologue" ? Array(0..<min(k, width)) : Array(Array(k..<width).prefix(positions))
        return places.map { place in (0..<rows).map { indices.values[$0 * width + place] } }
    }
}
