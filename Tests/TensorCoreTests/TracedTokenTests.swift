import Accelerators
import Foundation
import PJRT
import TensorCore
import TestSupport
import Testing

/// Traced ops on ids, streams and measures, which no gradient passes through.
extension TracedTests {
    /// Runs what `body` outputs on tensors and ids.
    private func run(
        _ tensors: [String: Tensor], tokens: [String: TokenTensor] = [:], streams: [String: RandomStream] = [:],
        _ body: (Program) -> Void
    ) throws -> ProgramValues {
        let program = Program("test")
        body(program)
        let accelerator = try Accelerator(testClient(devices: 1))
        var buffers = try tensors.mapValues(accelerator.copy)
        for (name, ids) in tokens { buffers[name] = try accelerator.copy(ids) }
        for (name, stream) in streams { buffers[name] = try accelerator.copy(stream) }
        return try accelerator.compile(program.traced()).run(buffers)
    }

    /// Ids that are known when the program runs only.
    @Test func idsAreInputs() throws {
        let (ids, other) = (randomIds([3, 7], below: 5), randomIds([3, 2], below: 5, "other"))
        let (table, flags) = (random([5, 4], "table"), TokenTensor([1, 0, 1], shape: [3]))
        let p = random([3, 7, 5], "p")
        func ops(_ ids: TokenTensor, _ other: TokenTensor, _ flags: TokenTensor, _ table: Tensor, _ p: Tensor) -> ([TokenTensor], [Tensor])
        {
            let joined = concatTokens([sliceTokens(ids, 2..<6) + 3, other])
            return (
                [joined, ids.replacing(where: flags, from: 3, by: 4), ids.reshaped([21]), argmax(p)],
                [embedding(ids, table: table), straightThroughEmbedding(p, ids: ids, table: table), crossEntropy(p, targets: ids)]
            )
        }
        let expected = ops(ids, other, flags, table, p)
        let values = try run(["table": table, "p": p], tokens: ["ids": ids, "other": other, "flags": flags]) { program in
            let (tokens, tensors) = ops(
                program.tokens("ids", [3, 7]), program.tokens("other", [3, 2]), program.tokens("flags", [3]),
                program.input("table", [5, 4]), program.input("p", [3, 7, 5]))
            for (i, ids) in tokens.enumerated() { program.output("tokens \(i)", ids) }
            for (i, tensor) in tensors.enumerated() { program.output("tensor \(i)", tensor) }
        }
        for (i, ids) in expected.0.enumerated() { #expect(try values.tokens("tokens \(i)") == ids) }
        for (i, tensor) in expected.1.enumerated() {
            #expect(largestError(try values.tensor("tensor \(i)").values, tensor.values) < 1e-5)
        }
    }

    /// The gradient of a lookup, against numpy: runs of one index within tiles of rows, over several, at their edges, and all of them.
    @Test(arguments: [1, 5, 128, 129, 700]) func rowsOfOneIndexAddUp(count: Int) throws {
        let dy = random([count, 3], "dy")
        let choices: [(Int) -> Int32] = [
            { Int32($0 * 7919 % 13) }, { _ in 4 }, { Int32($0 / 128) }, { $0 % 3 == 0 ? 12 : Int32($0 * 31 % 12) },
            { $0 < 200 ? 2 : $0 < 520 ? 7 : Int32($0 % 13) },
        ]
        for (number, choice) in choices.enumerated() {
            let ids = TokenTensor((0..<count).map(choice), shape: [count])
            let values = try run(["dy": dy], tokens: ["ids": ids]) { program in
                let tape = Tape()
                let table = tape.variable(Tensor.zeros([13, 3]))
                // Behind a loss whose slopes are dy.
                let rows = embedding(program.tokens("ids", [count]), table: table)
                let product = mean(rows * program.input("dy", [count, 3]))
                tape.backward(from: Float(3 * count) * product)
                program.output("sums", tape.gradient(of: table) ?? .zeros([13, 3]))
            }
            let text = try python(
                """
                import numpy as np
                sums = np.zeros((13, 3))
                np.add.at(sums, np.fromfile("ids", np.int32), np.fromfile("dy", np.float32).reshape(-1, 3))
                print(*sums.ravel())
                """,
                files: ["ids": ids.ids.withUnsafeBytes { Data($0) }, "dy": dy.values.withUnsafeBytes { Data($0) }])
            let expected = text.split(whereSeparator: \.isWhitespace).compactMap { Float($0) }
            let sums = try values.tensor("sums").values
            #expect(sums.count == 39 && largestError(sums, expected) < 1e-5, "\(count) rows, choice \(number)")
        }
    }

    /// Of equal entries the first is the largest.
    @Test func argmaxTakesTheFirst() throws {
        let x = Tensor([1, 3, 3, 0, -2, -2, -5, -2], shape: [2, 4])
        let values = try run(["x": x]) { $0.output("ids", argmax($0.input("x", [2, 4]))) }
        #expect(try values.tokens("ids").ids == [1, 0])
    }

    @Test func measures() throws {
        let (points, image) = (random([4, 5, 3], "points"), random([2, 7, 5, 4], "image"))
        let (q, k) = (random([2, 6, 6], "q"), random([2, 6, 6], "k"))
        // 1/4 and 3/4 of a level are ties of the rounding.
        let ties = Tensor([0.25, -0.25, 0.75, -0.75, 0.5, -0.5], shape: [2, 3])
        let values = try run(["points": points, "ties": ties, "image": image, "q": q, "k": k]) { program in
            let points = program.input("points", [4, 5, 3]), ties = program.input("ties", [2, 3])
            program.output("signs", ProductQuantization.signs.codes(of: points, levels: [2, 2, 2]))
            program.output("grid", ProductQuantization.grid.codes(of: points, levels: [3, 8, 5]))
            program.output("ties grid", ProductQuantization.grid.codes(of: ties, levels: [4, 4, 4]))
            program.output("cells", cellMeans(program.input("image", [2, 7, 5, 4]), rows: 3, columns: 2, channels: 3))
            program.output(
                "maps",
                meanAttentionProbabilities(q: program.input("q", [2, 6, 6]), k: program.input("k", [2, 6, 6]), heads: 2, causal: true))
        }
        #expect(try values.tokens("signs") == ProductQuantization.signs.codes(of: points, levels: [2, 2, 2]))
        #expect(try values.tokens("grid") == ProductQuantization.grid.codes(of: points, levels: [3, 8, 5]))
        #expect(try values.tokens("ties grid") == ProductQuantization.grid.codes(of: ties, levels: [4, 4, 4]))
        let cells = cellMeans(image, rows: 3, columns: 2, channels: 3)
        #expect(largestError(try values.tensor("cells").values, cells.values) < 1e-5)
        let maps = meanAttentionProbabilities(q: q, k: k, heads: 2, causal: true)
        #expect(largestError(try values.tensor("maps").values, maps.values) < 1e-5)
    }

    /// A program that was made once draws, for any seed and step, the masks that the stream at hand does.
    @Test(arguments: [(0, 0), (3, 70_000), (12, 5_000_000_000)]) func streamsDrawTheSameBits(seed: Int, step: Int) throws {
        var stream = RandomStream(seed: seed, "masks", step: step)
        let x = Tensor(repeating: 1, shape: [2, 1000])
        let masks = (0..<5).map { _ in dropout(x, p: 0.3, key: stream.nextMaskKey()).values }
        let values = try run(["x": x], streams: ["masks": RandomStream(seed: seed, "masks", step: step)]) { program in
            var stream = program.stream("masks")
            let x = program.input("x", [2, 1000])
            for i in 0..<5 { program.output("\(i)", dropout(x, p: 0.3, key: stream.nextMaskKey())) }
        }
        for i in 0..<5 { #expect(try values.tensor("\(i)").values == masks[i]) }
    }

    @Test func whatIsKnownLaterCannotBeRead() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Program("later").input("x", [2, 3]).values
        }
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("a value of the program 'later', which has no values before it runs"))
    }

    @Test func anOpWithoutATracedFormSaysSo() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = TokenDraw()(Program("drawing").input("logits", [1, 3]), uniforms: [0.5])
        }
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("callAsFunction(_:uniforms:)") && words.contains("no traced form"))
    }
}
