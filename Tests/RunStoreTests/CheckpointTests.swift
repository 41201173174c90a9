import Files
import Foundation
import RunStore
import TestSupport
import Testing

@Suite struct CheckpointTests {
    private let checkpoint = Checkpoint(
        tensors: [
            "encoder.0.weight": HDF5Array(shape: [2, 3], values: [1, -2, .pi, 0, -0.0, .leastNonzeroMagnitude]),
            "head.bias": HDF5Array(shape: [1], values: [.infinity]),
            "none": HDF5Array(shape: [0, 2], values: []),
        ],
        counters: ["step": 1200, "random.state": Int64(bitPattern: 0xFEDC_BA98_7654_3210)],
        metadata: ["rate": 1.0, "kind": "tokenizer", "sizes": [1, 2]])

    @Test func readsBackBitForBit() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("checkpoint.h5")
            try checkpoint.write(to: url)
            let back = try Checkpoint(reading: url)
            #expect(back.tensors.keys == checkpoint.tensors.keys && back.counters == checkpoint.counters)
            for (name, tensor) in checkpoint.tensors {
                #expect(back.tensors[name]?.shape == tensor.shape)
                #expect(back.tensors[name]?.values.map(\.bitPattern) == tensor.values.map(\.bitPattern))
            }
            let file = try CheckpointFile(verifying: url)
            #expect(
                try file.values(of: "encoder.0.weight", shape: [2, 3]).map(\.bitPattern)
                    == checkpoint.tensors["encoder.0.weight"]?.values.map(\.bitPattern))
            #expect(try inputError { _ = try file.values(of: "encoder.0.weight", shape: [3, 2]) }.contains("of shape [3, 2]"))
            #expect(back.metadata["kind"] == "tokenizer" && back.metadata["rate"]?.doubleValue == 1)

            let seen = try python(
                """
                import h5py, hashlib, sys
                f = h5py.File(sys.argv[1]); w = f['tensors/encoder.0.weight']
                print(w.shape, hashlib.sha256(w[:].tobytes()).hexdigest() == w.attrs['sha256'], f['counters/step'][()])
                """, url.path)
            #expect(seen == "(2, 3) True 1200")
        }
    }

    @Test func theSameStateGivesTheSameBytes() throws {
        try withTemporaryFolder { folder in
            let urls = ["a.h5", "b.h5"].map { folder.appendingPathComponent($0) }
            let first = try checkpoint.write(to: urls[0])
            Thread.sleep(forTimeInterval: 1.1) // HDF5's time stamps count seconds
            #expect(try checkpoint.write(to: urls[1]) == first)
            #expect(try Data(contentsOf: urls[0]) == Data(contentsOf: urls[1]))
            // Written tensor by tensor, in whatever order they are given.
            let entries = checkpoint.tensors.sorted { $0.key > $1.key }.map { name, tensor in
                Checkpoint.Entry(name, shape: tensor.shape) { try $0(tensor.values.span) }
            }
            let pieces = try Checkpoint.write(
                entries, counters: checkpoint.counters, metadata: checkpoint.metadata, to: urls[1])
            #expect(try pieces == first && Data(contentsOf: urls[0]) == Data(contentsOf: urls[1]))
            var other = checkpoint
            other.counters["step"] = 1201
            #expect(try other.write(to: urls[1]) != first)
        }
    }

    @Test func everyDamageIsFound() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("checkpoint.h5")
            var big = checkpoint
            big.tensors["big"] = HDF5Array(shape: [64, 64], values: (0..<4096).map { Float($0) })
            try big.write(to: url)
            let whole = try Data(contentsOf: url)

            for kept in stride(from: 0, to: whole.count, by: 997) {
                try whole.prefix(kept).write(to: url)
                #expect(try inputError { _ = try Checkpoint(reading: url) }.hasPrefix(url.path))
            }

            // A flipped bit of the data: somewhere the bytes of the float 2048.0 lie.
            let needle = withUnsafeBytes(of: Float(2048)) { Data($0) } + withUnsafeBytes(of: Float(2049)) { Data($0) }
            let place = try #require(whole.range(of: needle))
            var flipped = whole
            flipped[place.lowerBound + 1] ^= 4
            try flipped.write(to: url)
            let message = try inputError { _ = try Checkpoint(reading: url) }
            #expect(message.contains("checksum"))

            // Damage of HDF5's own bookkeeping, which could make the library crash.
            for place in stride(from: 8, to: whole.count - 200, by: 211) {
                var damaged = whole
                for i in place..<place + 64 { damaged[i] ^= 0x5A }
                try damaged.write(to: url)
                #expect(try inputError { _ = try Checkpoint(reading: url) }.hasPrefix(url.path))
            }

            for edit in ["f['counters/step'][()] = 7", "f.attrs['metadata'] = '{}'", "del f['tensors/head.bias']"] {
                try whole.write(to: url)
                _ = try python("import h5py, sys\nwith h5py.File(sys.argv[1], 'r+') as f: \(edit)", url.path)
                #expect(try inputError { _ = try Checkpoint(reading: url) }.contains("does not match its checksum"))
            }
            let missing = folder.appendingPathComponent("none.h5")
            #expect(try inputError { _ = try Checkpoint(reading: missing) }.contains("no such checkpoint"))
        }
    }

    /// Killed while it writes checkpoints as fast as it can, a process leaves a whole one, old or new.
    @Test func killNineWhileWritingLeavesAWholeCheckpoint() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appendingPathComponent("checkpoint.h5").path
            for round in 1...10 {
                await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, round = round as Int] in
                    var step = 0
                    while true {
                        step += 1
                        let mark = Float(round * 1_000_000 + step)
                        try Checkpoint(
                            tensors: ["w": HDF5Array(shape: [50_000], values: [Float](repeating: mark, count: 50_000))],
                            counters: ["mark": Int64(mark)]
                        ).write(to: URL(fileURLWithPath: path))
                        if step > 1 { continue }
                        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int.random(in: 1...60))) {
                            kill(getpid(), SIGKILL)
                        }
                    }
                }
                let back = try Checkpoint(reading: URL(fileURLWithPath: path))
                let values = try #require(back.tensors["w"]?.values)
                #expect(values.allSatisfy { Int64($0) == back.counters["mark"] })
            }
        }
    }
}
