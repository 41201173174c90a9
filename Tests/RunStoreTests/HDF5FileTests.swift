import Files
import Foundation
import RunStore
import TestSupport
import Testing

@Suite struct HDF5FileTests {
    @Test func h5pyReadsEveryTypeShapeAndAttribute() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("all.h5")
            try HDF5File.write(atomicallyTo: url) { file in
                try file.write([1.5, -2, 3, 4, 5, 6] as [Float], to: "deep/er/f32", shape: [2, 3])
                try file.write([0.1, .pi] as [Double], to: "f64", shape: [2], attributes: ["units": "nats", "scale": 0.5])
                try file.write([-7] as [Int32], to: "i32", shape: [])
                try file.write([Int64.min, Int64.max], to: "i64", shape: [2, 1])
                try file.write([UInt8](0...255) + [UInt8](0...255), to: "images", shape: [8, 8, 8], compressed: true)
                try file.write([] as [Float], to: "empty", shape: [0, 4], compressed: true)
                try file.setAttribute("axes", ["image", "row", "naïve"], on: "images")
                try file.setAttribute("count", 8, on: "images")
                try file.setAttribute("count", 9, on: "images")
                try file.setAttribute("made by", "a test", on: "/")
            }
            let seen = try python(
                """
                import h5py, numpy as np, sys
                f = h5py.File(sys.argv[1])
                def show(n):
                    d = f[n]; print(n, d.dtype, d.shape, np.asarray(d).ravel()[:3].tolist(), np.asarray(d).astype('f8').sum())
                for n in ['deep/er/f32', 'f64', 'i32', 'i64', 'images', 'empty']: show(n)
                print(f['f64'].attrs['units'], f['f64'].attrs['scale'], f['images'].attrs['count'], f.attrs['made by'])
                print(list(f['images'].attrs['axes']), f['images'].compression, f['deep/er/f32'].compression)
                """, url.path)
            #expect(
                seen == """
                    deep/er/f32 float32 (2, 3) [1.5, -2.0, 3.0] 17.5
                    f64 float64 (2,) [0.1, 3.141592653589793] 3.241592653589793
                    i32 int32 () [-7] -7.0
                    i64 int64 (2, 1) [-9223372036854775808, 9223372036854775807] 0.0
                    images uint8 (8, 8, 8) [0, 1, 2] 65280.0
                    empty float32 (0, 4) [] 0.0
                    nats 0.5 9 a test
                    ['image', 'row', 'naïve'] gzip None
                    """)
        }
    }

    @Test func readsWhatH5pyWrote() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("theirs.h5")
            _ = try python(
                """
                import h5py, numpy as np, sys
                with h5py.File(sys.argv[1], 'w') as f:
                    f['a/tokens'] = np.arange(12, dtype='i4').reshape(3, 4)
                    f['b'] = np.array([1.5, 2.5])
                    f['pixels'] = np.array([[1, 2], [3, 255]], dtype='u1')
                    f['b'].attrs['units'] = 's'
                    f['b'].attrs['axes'] = ['x', 'y']
                    f['b'].attrs['n'] = 3
                    f['b'].attrs['rate'] = 0.25
                    f['words'] = 'text'
                """, url.path)
            let file = try HDF5File(reading: url)
            #expect(try file.datasets() == ["a/tokens", "b", "pixels", "words"])
            #expect(try file.read("a/tokens", as: Int32.self) == HDF5Array(shape: [3, 4], values: Array(0..<12)))
            #expect(try file.read("a/tokens", as: Int64.self).values == Array(0..<12))
            #expect(try file.read(rows: 1..<3, of: "a/tokens", as: Int32.self) == HDF5Array(shape: [2, 4], values: Array(4..<12)))
            #expect(try file.read("b", as: Double.self).values == [1.5, 2.5])
            #expect(try file.read("pixels", as: UInt8.self).values == [1, 2, 3, 255])
            #expect(try file.read("pixels", as: Int32.self).values == [1, 2, 3, 255])
            #expect(try file.shape(of: "b") == [2])
            #expect(try file.attribute("units", of: "b") == "s")
            #expect(try file.attribute("axes", of: "b") == ["x", "y"])
            #expect(try file.attribute("n", of: "b") == 3)
            #expect(try file.attribute("rate", of: "b") == 0.25)
            #expect(try file.attribute("nothing", of: "b") == nil)
            #expect(try file.exists("a") && file.exists("a/tokens") && !file.exists("a/token") && !file.exists("x/y"))

            let narrowed = try inputError { _ = try file.read("b", as: Float.self) }
            #expect(narrowed.contains("'b' holds float64, not float32") && narrowed.contains(url.path))
            #expect(try inputError { _ = try file.read("a/token", as: Int32.self) }.contains("did you mean 'a/tokens'?"))
            #expect(try inputError { _ = try file.read("words", as: Int32.self) }.contains("holds text, not int32"))
            #expect(try inputError { _ = try file.read(rows: 2..<4, of: "a/tokens", as: Int32.self) }.contains("[3, 4]"))
        }
    }

    @Test func aFailedWriteLeavesTheOldFileAndNoRubbish() throws {
        struct Stop: Error {}
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("kept.h5")
            try HDF5File.write(atomicallyTo: url) { try $0.write([1, 2] as [Float], to: "x", shape: [2]) }
            let before = try Data(contentsOf: url)
            #expect(throws: Stop.self) {
                try HDF5File.write(atomicallyTo: url) { file in
                    try file.write([3] as [Float], to: "x", shape: [1])
                    throw Stop()
                }
            }
            #expect(try Data(contentsOf: url) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["kept.h5"])
        }
    }

    @Test func errorsNameTheFileAndTheReason() throws {
        try withTemporaryFolder { folder in
            let missing = folder.appendingPathComponent("missing.h5")
            let absent = try inputError { _ = try HDF5File(reading: missing) }
            #expect(absent.hasPrefix(missing.path) && absent.contains("No such file"))

            let text = folder.appendingPathComponent("text.h5")
            try Data("not an HDF5 file".utf8).write(to: text)
            #expect(try inputError { _ = try HDF5File(reading: text) }.contains("signature"))

            let whole = folder.appendingPathComponent("whole.h5")
            try HDF5File.write(atomicallyTo: whole) {
                try $0.write([Float](repeating: 1, count: 10_000), to: "x", shape: [10_000])
            }
            let cut = folder.appendingPathComponent("cut.h5")
            try Data(contentsOf: whole).prefix(20_000).write(to: cut)
            let truncated = try inputError { _ = try HDF5File(reading: cut).read("x", as: Float.self) }
            #expect(truncated.hasPrefix(cut.path) && truncated.contains("truncated"))
        }
    }

    @Test(.enabled(if: canMount, "needs the right to mount")) func aFullDiskIsSaidPlainly() throws {
        try withMountedFolder(kilobytes: 256) { folder in
            let url = folder.appendingPathComponent("big.h5")
            let message = try inputError {
                try HDF5File.write(atomicallyTo: url) {
                    try $0.write([Float](repeating: 1, count: 1 << 18), to: "x", shape: [1 << 18])
                }
            }
            #expect(message.contains("the disk is full") && message.contains("'x'"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }
}
