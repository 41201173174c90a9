import Experiment
import Files
import Foundation
import RunStore
import TestSupport
import Testing

@Suite struct TensorBoardTests {
    /// A run with a trained stage and a score.
    private func example(in folder: URL) throws -> (store: Store, run: RunRecord) {
        let store = try Store(directory: folder.appendingPathComponent("store"))
        let identity = StageIdentity(kind: "prior", settings: ["seed": 0], formatVersion: 1)
        let prior = try store.perform(identity) { work in
            let metrics = try MetricsFile.create(at: work.url("metrics.h5"), columns: ["loss", "bits"])
            for step in 1...300 {
                var values: [String: Float] = ["loss": 1 / Float(step)]
                // Not measured at every step, and once not a number.
                if step % 100 == 0 { values["bits"] = step == 200 ? .infinity : Float(step) }
                try metrics.append(step: step, wallSeconds: Double(step) / 4, values)
            }
            try metrics.close()
            try work.save(Scores(protocol: ["n": 1], values: ["gfid@space.nocfg": 12.5, "failed": nil]), named: "space")
            return [:]
        }
        let run = RunRecord(
            sweep: "tb", cell: "", seed: 0, config: [:], stages: ["prior": prior.stage.id], codeVersion: .unknown,
            machine: .current(), created: Date(timeIntervalSince1970: 1_800_000_000))
        try store.save(run)
        return (store, run)
    }

    /// Reads event files by the published layout, with a checksum of its own; and, where the `tensorboard` package is
    /// installed, with that.
    private static let reader = """
        import json, pathlib, struct, sys
        def crc32c(data):
            crc = 0xffffffff
            for byte in data:
                crc ^= byte
                for _ in range(8): crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
            return crc ^ 0xffffffff
        assert crc32c(b'123456789') == 0xe3069283
        def masked(data):
            crc = crc32c(data)
            return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff
        def fields(data):
            at = 0
            def varint():
                nonlocal at
                value = shift = 0
                while True:
                    byte = data[at]; at += 1
                    value |= (byte & 0x7f) << shift; shift += 7
                    if byte < 0x80: return value
            while at < len(data):
                key = varint()
                if key & 7 == 0: value = varint()
                elif key & 7 == 1: value, at = struct.unpack('<d', data[at:at + 8])[0], at + 8
                elif key & 7 == 5: value, at = struct.unpack('<f', data[at:at + 4])[0], at + 4
                else: size = varint(); value, at = data[at:at + size], at + size
                yield key >> 3, value
        def read(path):
            data, at, scalars = path.read_bytes(), 0, {}
            first = True
            while at < len(data):
                size, check = struct.unpack('<QI', data[at:at + 12])
                assert masked(data[at:at + 8]) == check
                record = data[at + 12:at + 12 + size]
                assert masked(record) == struct.unpack('<I', data[at + 12 + size:at + 16 + size])[0]
                at += 16 + size
                event = dict(fields(record))
                if first: assert event[3] == b'brain.Event:2'
                first = False
                for number, value in fields(event.get(5, b'')):
                    parts = dict(fields(value))
                    scalars.setdefault(parts[1].decode(), []).append([event[2], parts[2], event[1]])
            return scalars
        found = {str(p.parent.relative_to(sys.argv[1])): read(p) for p in pathlib.Path(sys.argv[1]).rglob('*tfevents*')}
        try:
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        except ImportError:
            EventAccumulator = None
        if EventAccumulator:
            for name, scalars in found.items():
                events = EventAccumulator(sys.argv[1] + '/' + name, size_guidance={'scalars': 0}).Reload()
                assert sorted(events.Tags()['scalars']) == sorted(scalars), events.Tags()
                for tag, values in scalars.items():
                    assert [[e.step, e.value, e.wall_time] for e in events.Scalars(tag)] == values, tag
        print(json.dumps(found))
        """

    @Test func eventFilesAreReadByOthers() throws {
        try withTemporaryFolder { folder in
            let (store, run) = try example(in: folder)
            let target = folder.appendingPathComponent("events")
            // Twice: the second replaces the first.
            _ = try store.exportTensorBoard(run: run.id, to: target)
            let files = try store.exportTensorBoard(run: run.id, to: target)
            #expect(files.count == 2)
            let found = try JSONValue(parsing: Data(python(Self.reader, target.path).utf8))
            #expect(found.objectValue?.count == 2)
            let prior = try #require(found["\(run.id)/prior"])
            let losses = try #require(prior["prior/loss"]?.arrayValue).compactMap(\.arrayValue)
            #expect(losses.map { $0[0].intValue } == Array(1...300))
            #expect(losses.map { $0[1].doubleValue } == (1...300).map { Double(1 / Float($0)) })
            let start = try #require(try store.stage(id: run.stages["prior"] ?? "").record).started.timeIntervalSince1970
            #expect(abs((losses[299][2].doubleValue ?? 0) - (start + 75)) < 1e-3)
            let bits = try #require(prior["prior/bits"]?.arrayValue).compactMap(\.arrayValue)
            #expect(bits.map { $0[0] } == [100, 300] && bits.map { $0[1].doubleValue } == [100, 300])
            let scores = try #require(found["\(run.id)/scores"])
            #expect(scores.objectValue?.keys.sorted() == ["scores/gfid@space.nocfg"])
            #expect(scores["scores/gfid@space.nocfg"]?.arrayValue?.first?.arrayValue?.prefix(2).map(\.doubleValue) == [0, 12.5])
        }
    }

    @Test func aMissingRunIsNamed() throws {
        try withTemporaryFolder { folder in
            let (store, run) = try example(in: folder)
            let error = try #require(throws: InputError.self) {
                _ = try store.exportTensorBoard(run: String(run.id.dropLast()), to: folder)
            }
            #expect(error.message.contains("did you mean '\(run.id)'?"))
        }
    }
}
