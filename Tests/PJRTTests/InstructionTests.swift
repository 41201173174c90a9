import Foundation
import PJRT
import StableHLO
import TestSupport
import Testing

/// Instructions, compiled and run by the CPU plugin, against numpy.
@Suite(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
struct InstructionTests {
    private func check(_ inputs: [Numbers], _ script: String, within tolerance: Float = 2e-6, _ body: (Function, [Value]) -> [Value]) throws
    {
        let results = try run(inputs, body)
        let expected = try numpy(inputs, script)
        #expect(results.count == expected.count)
        for (index, (values, wanted)) in zip(results, expected).enumerated() {
            #expect(difference(values, wanted) < tolerance, "result \(index) of \(script)")
        }
    }

    @Test func numberByNumber() throws {
        let x = Numbers([3, 5]), y = Numbers([3, 5], seed: 2)
        try check(
            [x, y],
            """
            a, b = x; p = np.abs(a) + .1
            results = [np.tanh(a), np.exp(a), np.log(p), 1 / (1 + np.exp(-a)), np.sqrt(p), 1 / np.sqrt(p), np.sin(a), np.cos(a),
              np.floor(a), np.ceil(a), np.sign(a), np.rint(a), np.expm1(a), np.log1p(p), a + b, a - b, a * b, a / b, np.maximum(a, b),
              np.minimum(a, b), p ** b, np.where(a < b, a, 2 * b), np.fmod(a, b)]
            """
        ) { f, x in
            let (a, b) = (x[0], x[1])
            let p = f.add(f.apply(.abs, a), 0.1)
            let unary: [(Unary, Value)] = [
                (.tanh, a), (.exponential, a), (.log, p), (.logistic, a), (.sqrt, p), (.rsqrt, p), (.sine, a), (.cosine, a), (.floor, a),
                (.ceil, a), (.sign, a), (.roundNearestEven, a), (.exponentialMinusOne, a), (.logPlusOne, p),
            ]
            return unary.map { f.apply($0, $1) } + [
                f.add(a, b), f.subtract(a, b), f.multiply(a, b), f.divide(a, b), f.maximum(a, b), f.minimum(a, b), f.apply(.power, p, b),
                f.select(f.compare(a, .less, b), a, f.multiply(b, 2)), f.apply(.remainder, a, b),
            ]
        }
    }

    @Test func shapes() throws {
        try check(
            [Numbers([2, 3, 4]), Numbers([4], seed: 3)],
            """
            a, b = x
            results = [a.transpose(2, 0, 1), a.reshape(6, 4), a + b, a[:, 1:3, ::1][..., 1:2], np.concatenate([a, 2 * a], 1),
              np.pad(a, [(0, 0), (1, 2), (0, 1)]), a[:, ::-1], np.broadcast_to(a.sum((1, 2))[:, None, None], a.shape),
              np.arange(12).reshape(3, 4) % 4]
            """
        ) { f, x in
            let (a, b) = (x[0], x[1])
            let sums = f.reduce(a, .add, axes: [1, 2])
            return [
                f.transpose(a, [2, 0, 1]), f.reshape(a, [6, 4]), f.add(a, f.broadcastRows(b, like: a)),
                f.slice(f.slice(a, axis: 1, 1..<3), axis: 2, 1..<2), f.concatenate([a, f.multiply(a, 2)], axis: 1),
                f.pad(a, low: [0, 1, 0], high: [0, 2, 1]), f.reverse(a, axes: [1]), f.broadcastColumns(sums, like: a),
                f.convert(f.iota([3, 4], .i32, axis: 1), .f32),
            ]
        }
    }

    @Test func products() throws {
        try check(
            [Numbers([2, 3, 4]), Numbers([2, 5, 4], seed: 4), Numbers([4, 6], seed: 5)],
            "a, b, w = x; results = [np.einsum('bij,bkj->bik', a, b), a @ w, (a @ w).sum()]"
        ) { f, x in
            let product = f.dot(x[0], x[2], contracting: ([2], [0]))
            return [f.dot(x[0], x[1], contracting: ([2], [2]), batch: ([0], [0])), product, f.reduce(product, .add, axes: [0, 1, 2])]
        }
    }

    @Test func convolutions() throws {
        try check(
            [Numbers([2, 6, 5, 4]), Numbers([3, 3, 4, 8], seed: 6), Numbers([3, 3, 1, 4], seed: 7)],
            """
            import torch, torch.nn.functional as F
            t = [torch.tensor(v) for v in x]; image = t[0].permute(0, 3, 1, 2); w = t[1].permute(3, 2, 0, 1); depth = t[2].permute(3, 2, 0, 1)
            back = lambda y: y.permute(0, 2, 3, 1).contiguous().numpy()
            results = [back(F.conv2d(image, w, stride=2, padding=1)), back(F.conv2d(image, depth, padding=1, groups=4)),
              back(F.max_pool2d(image, 2))]
            """
        ) { f, x in
            [
                f.convolution(x[0], x[1], ConvolutionWindow(strides: [2, 2], padding: [(1, 1), (1, 1)])),
                f.convolution(x[0], x[2], ConvolutionWindow(strides: [1, 1], padding: [(1, 1), (1, 1)], groups: 4)),
                f.reduceWindow(
                    x[0], .maximum, size: [1, 2, 2, 1], strides: [1, 2, 2, 1], padding: [(0, 0), (0, 0), (0, 0), (0, 0)]),
            ]
        }
    }

    /// Greatest value and sum of exponentials in one pass, as a loss over a large vocabulary wants it.
    @Test func reductionsOfSeveralValues() throws {
        try check(
            [Numbers([3, 7])],
            "a = x[0].astype('f8'); results = [a.max(1), np.exp(a - a.max(1, keepdims=True)).sum(1), a.min(0), a.prod(0)]"
        ) { f, x in
            let online = f.reduce(
                [x[0], f.constant(1, like: x[0])], start: [f.constant(-1e30, [], .f32), f.constant(0, [], .f32)], axes: [1]
            ) { a, b in
                let greatest = f.maximum(a[0], b[0])
                func scaled(_ v: [Value]) -> Value { f.multiply(v[1], f.apply(.exponential, f.subtract(v[0], greatest))) }
                return [greatest, f.add(scaled(a), scaled(b))]
            }
            return online + [f.reduce(x[0], .minimum, axes: [0]), f.reduce(x[0], .multiply, axes: [0])]
        }
    }

    @Test func placesKnownWhenTheProgramRuns() throws {
        try check(
            [Numbers([6, 4]), Numbers([5, 4], seed: 8)],
            """
            t, u = x; i = np.array([5, 0, 3, 3, 1]); z = np.zeros_like(t); np.add.at(z, i, u); w = t.copy(); w[2:4, 1:3] = u[:2, :2]
            s = np.sort(t, 1)[:, ::-1]; o = np.argsort(-t, 1, kind='stable')
            results = [t[i], z, u[np.arange(5), np.array([3, 0, 1, 2, 3])], t[2:4, 1:3], w, s, o]
            """
        ) { f, x in
            let rows = f.constant([5, 0, 3, 3, 1] as [Int32], [5])
            let columns = f.constant([3, 0, 1, 2, 3] as [Int32], [5])
            let starts = [f.constant(2, [], .i32), f.constant(1, [], .i32)]
            let sorted = f.sort([x[0], f.iota([6, 4], .i32, axis: 1)], axis: 1, descending: true)
            return [
                f.gather(rows: rows, of: x[0]), f.scatterAdd(x[1], rows: rows, count: 6), f.gather(entries: columns, of: x[1]),
                f.dynamicSlice(x[0], starts: starts, sizes: [2, 2]),
                f.dynamicUpdate(x[0], with: f.slice(x[1], [0..<2, 0..<2]), starts: starts), sorted[0], f.convert(sorted[1], .f32),
            ]
        }
    }

    @Test func loopsCallsAndBarriers() throws {
        let double = Function("double")
        let argument = double.argument([3], .f32)
        double.return([double.multiply(argument, 2)])
        let main = Function("main")
        let x = main.argument([3], .f32)
        let powers = main.loop(5, [x]) { index, carried in
            [main.add(main.call(double, carried)[0], main.broadcast(main.convert(index, .f32), to: [3], axes: []))]
        }
        main.return(main.barrier([powers[0], x]))
        let client = try testClient()
        let program = try client.compile(Module("loops", [double, main]).text)
        let result = try program.run([Buffer.of([1, 2, 3] as [Float], .float32, shape: [3], on: client.device(0), of: client)])
        // x → 2x + i for i = 0 … 4: 32x + 8 + 8 + 6 + 4 = 32x + 26.
        #expect(try result[0].numbers(as: Float.self) == [58, 90, 122])
        #expect(try result[1].numbers(as: Float.self) == [1, 2, 3])
    }

    /// Whole numbers wrap around, as counters of random streams need it.
    @Test func wholeNumbersAndBits() throws {
        let main = Function("main")
        let x = main.argument([4], .ui32)
        let wide = main.convert(x, .ui64)
        let product = main.apply(.multiply, wide, main.constant(3_528_531_795, like: wide))
        let high = main.convert(main.apply(.shiftRight, product, 32), .ui32)
        main.return([high, main.convert(product, .ui32), main.apply(.xor, x, high), main.bits(x, as: .f32)])
        let client = try testClient()
        let numbers: [UInt32] = [0, 1, 0x3F80_0000, .max]
        let buffer = try Buffer.of(numbers, .uint32, shape: [4], on: client.device(0), of: client)
        let results = try client.compile(Module("bits", [main]).text).run([buffer])
        let products = numbers.map { $0.multipliedFullWidth(by: 3_528_531_795) }
        #expect(try results[0].numbers() == products.map(\.high))
        #expect(try results[1].numbers() == products.map(\.low))
        #expect(try results[2].numbers() == zip(numbers, products).map { $0 ^ $1.high })
        #expect(try results[3].numbers(as: UInt32.self) == numbers)
    }

    @Test func constantsAreExact() throws {
        let values: [Float] = [1e-24, -0.0, .leastNonzeroMagnitude, 3.402_823_5e38, 0.1]
        let results = try run([Numbers([1])]) { f, _ in
            values.map { f.constant(Double($0), [], .f32) } + [f.constant(values, [5]), f.constant(.infinity, [], .f32)]
        }
        #expect(results.prefix(5).map { $0[0].bitPattern } == values.map(\.bitPattern))
        #expect(results[5].map(\.bitPattern) == values.map(\.bitPattern))
        #expect(results[6] == [.infinity])
    }

    @Test func aMistakeNamesBothTypes() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let f = Function("main")
            _ = f.add(f.argument([4, 8], .f32), f.argument([8, 4], .bf16))
        }
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("add of tensor<4x8xf32> and tensor<8x4xbf16>"))
    }
}
