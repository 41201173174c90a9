import Archives
import Files
import Foundation
import RunStore
import TensorCore

/// Samples as files that other evaluators read (method §6.1): an `.npz` with `arr_0` uint8 [n, height, width,
/// channels] and `arr_1` int64 [n], the classes asked for (-1: none).
///
/// The inception score depends on the order, so `order` int64 [n] says which of the run's samples a row is, and
/// `shuffle_seed` (a scalar) is there where the rows were shuffled; else they are sorted by class.
extension RunPlan {
    /// Writes the samples drawn under the sampler setting `name`; returns how many.
    /// - Throws: `InputError` naming the nearest setting if there is none of that name, or if it has not been drawn.
    public func exportSamples(
        _ name: String, to url: URL, shuffledBy seed: Int?, _ context: ExperimentContext
    ) throws -> Int {
        let settings = stages.compactMap { $0 as? SampleStage }
        guard let stage = settings.first(where: { $0.name == name }) else {
            let names = settings.map(\.name)
            let hint = nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""
            throw InputError("the run has no sampler setting '\(name)'\(hint) It has \(names.joined(separator: ", "))")
        }
        guard try context.store.stage(stage.identity).isComplete else {
            throw InputError("the samples under '\(name)' have not been drawn; 'prologue sweep run' draws them")
        }
        let (pixels, labels) = try stage.load(context)
        let order: [Int]
        if let seed {
            var stream = RandomStream(seed: seed, "export/order")
            order = stream.permutation(labels.count)
        } else {
            order = labels.indices.sorted { (labels[$0], $0) < (labels[$1], $1) }
        }
        let dataset = stage.prior.tokenizer.dataset
        let size = dataset.train.pixelsPerImage
        var arranged: [UInt8] = []
        arranged.reserveCapacity(pixels.count)
        for index in order { arranged += pixels[index * size..<(index + 1) * size] }

        let count = labels.count
        var arrays: [(name: String, array: NumpyArray)] = [
            (
                "arr_0",
                NumpyArray(shape: [count, dataset.imageSize, dataset.imageSize, dataset.channels], .uint8(arranged))
            ),
            ("arr_1", NumpyArray(shape: [count], .int64(order.map { Int64(labels[$0]) }))),
            ("order", NumpyArray(shape: [count], .int64(order.map(Int64.init)))),
        ]
        if let seed { arrays.append(("shuffle_seed", NumpyArray(shape: [], .int64([Int64(seed)])))) }
        try Npz.write(arrays, to: url)
        return count
    }
}
