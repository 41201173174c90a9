import Files
import Foundation
import Models
import NN
import RunStore
import Settings
import TensorCore

/// How many FLOPs a second (`ModelCost`) this machine does in training, for estimates where nothing alike has been done yet.
public struct MachineRate: Sendable {
    public let flopsPerSecond: Double

    private static let file = "machine-rate.json"

    /// Measured once for a processor and a number of threads, and kept with the store's `data/`; measured again where that
    /// cannot be read, which `say` is told of.
    public init(of machine: Machine, in store: Store, say: (String) -> Void) {
        let file = store.directory.appendingPathComponent("data").appendingPathComponent(Self.file)
        let key = "\(machine.processor), \(machine.blasCore), \(Parallel.threads) threads"
        var known = RecordFile.readCache(file, as: [String: JSONValue].self, say: say) ?? [:]
        // The checksum is a member beside the rates.
        known["sha256"] = nil
        if let rate = known[key]?.doubleValue, rate > 0, rate.isFinite {
            flopsPerSecond = rate
            return
        }
        flopsPerSecond = Self.measured().rounded()
        known[key] = .number(flopsPerSecond)
        // A store that cannot be written can still be planned on.
        RecordFile.writeCache(known, to: file)
    }

    /// The best of some training steps of an AR model that keeps the caches busy and ends within a second or so.
    private static func measured() -> Double {
        let layout = SequenceLayout(prologueTokens: 8, visualTokens: 119, visualCodes: 768, prologueCodes: 255)
        let config = ARConfig(
            layout: layout, network: .init(width: 384, layers: 3, heads: 6, axes: [24, 24, 16]), labels: 11)
        let model = ARModel(config, stream: RandomStream(seed: 0, "machine-rate"))
        let optimizer = AdamW(model.parameters, OptimizerSettings())
        let batch = 4
        let ids = (0..<batch * (layout.length - 1)).map { Int32($0 % 255) }
        let input = ARInput(
            targets: layout.targets(TokenTensor(ids, shape: [batch, layout.length - 1])),
            labels: TokenTensor(repeating: 0, shape: [batch]))
        func step() -> Double {
            let start = ContinuousClock.now
            let tape = Tape(differentiating: model.parameters)
            tape.backward(from: model.meanCrossEntropy(input, on: tape))
            optimizer.step(tape, rate: 1e-4)
            return (ContinuousClock.now - start) / .seconds(1)
        }
        // The first step asks the system for memory.
        _ = step()
        let best = (0..<4).map { _ in step() }.min() ?? 1
        return Double(batch) * config.trainingCost.flops / max(best, 1e-9)
    }
}
