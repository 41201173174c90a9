import Archives
import Files
import Foundation
import TestSupport
import Testing

/// Array files against numpy, both ways.
@Suite struct NpzTests {
    static let saveAll = """
        import numpy, sys
        g = numpy.random.default_rng(5)
        save = {"stored": numpy.savez, "deflated": numpy.savez_compressed}[sys.argv[2]]
        save(sys.argv[1], pixels=g.integers(0, 256, (2, 3, 4), dtype="u1"), small=numpy.arange(-3, 4, dtype="i4"),
             wide=numpy.array([[2**62, -2**62]], dtype="i8"), single=numpy.linspace(0, 1, 700, dtype="f4"),
             double=numpy.array([[1.5, -0.0], [numpy.inf, 1e-300]]), scalar=numpy.float64(7.25), empty=numpy.zeros((0, 5)))
        a = numpy.load(sys.argv[1])
        print(" ".join(map(str, a["pixels"].ravel())))
        print(" ".join(repr(float(x)) for x in a["single"]))
        """

    @Test(arguments: ["stored", "deflated"])
    func readsWhatNumpySaves(_ way: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("all.npz")
            let printed = try python(Self.saveAll, url.path, way).split(separator: "\n")
            let file = try Npz(reading: url)
            #expect(file.names == ["pixels", "small", "wide", "single", "double", "scalar", "empty"])
            let pixels = printed[0].split(separator: " ").compactMap { UInt8($0) }
            #expect(pixels.count == 24)
            #expect(try file.array("pixels") == NumpyArray(shape: [2, 3, 4], .uint8(pixels)))
            #expect(try file.array("small") == NumpyArray(shape: [7], .int32([-3, -2, -1, 0, 1, 2, 3])))
            #expect(try file.array("wide") == NumpyArray(shape: [1, 2], .int64([1 << 62, -(1 << 62)])))
            let single = printed[1].split(separator: " ").compactMap { Float($0) }
            #expect(try file.array("single") == NumpyArray(shape: [700], .float32(single)))
            #expect(try file.array("double") == NumpyArray(shape: [2, 2], .float64([1.5, -0.0, .infinity, 1e-300])))
            #expect(try file.array("scalar") == NumpyArray(shape: [], .float64([7.25])))
            #expect(try file.array("empty") == NumpyArray(shape: [0, 5], .float64([])))
        }
    }

    @Test func numpyReadsWhatIsWritten() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("written.npz")
            let arrays: [(name: String, array: NumpyArray)] = [
                ("arr_0", NumpyArray(shape: [2, 2, 1, 3], .uint8(Array(244...255)))),
                ("order", NumpyArray(shape: [3], .int64([1 << 40, -1, 0]))),
                ("labels", NumpyArray(shape: [1, 2], .int32([7, -7]))),
                ("mu", NumpyArray(shape: [2], .float32([0.1, -2]))),
                ("seed", NumpyArray(shape: [], .float64([0.1]))),
            ]
            try Npz.write(arrays, to: url)
            let seen = try python(
                """
                import numpy, sys, zipfile
                assert zipfile.ZipFile(sys.argv[1]).testzip() is None
                a = numpy.load(sys.argv[1])
                for name in a.files: print(name, a[name].dtype, a[name].shape, a[name].ravel().tolist())
                """, url.path)
            #expect(
                seen == """
                    arr_0 uint8 (2, 2, 1, 3) [244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255]
                    order int64 (3,) [1099511627776, -1, 0]
                    labels int32 (1, 2) [7, -7]
                    mu float32 (2,) [0.10000000149011612, -2.0]
                    seed float64 () [0.1]
                    """)
            let file = try Npz(reading: url)
            #expect(file.names == arrays.map(\.name))
            for (name, array) in arrays { #expect(try file.array(name) == array) }
            // The same content, the same bytes.
            let again = folder.appendingPathComponent("again.npz")
            try Npz.write(arrays, to: again)
            #expect(try Data(contentsOf: url) == Data(contentsOf: again))
        }
    }

    @Test func readsVersionTwoHeaders() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("two.npz")
            _ = try python(
                """
                import numpy, sys, zipfile
                with zipfile.ZipFile(sys.argv[1], "w") as z, z.open("x.npy", "w") as f:
                    numpy.lib.format.write_array(f, numpy.arange(4.0).reshape(2, 2), version=(2, 0))
                """, url.path)
            #expect(try Npz(reading: url).array("x") == NumpyArray(shape: [2, 2], .float64([0, 1, 2, 3])))
        }
    }

    /// Every usual type in either byte order and memory order, with the extremes of its range.
    @Test(arguments: ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f2", "f4", "f8"], ["<", ">"])
    func typesAndOrdersAreReadAsWhatTheyAre(_ type: String, _ order: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("types.npz")
            let printed = try python(
                """
                import numpy, sys
                t = numpy.dtype(sys.argv[2])
                i = numpy.finfo(t) if t.kind == 'f' else numpy.iinfo(t)
                x = numpy.arange(24).astype(t).reshape(2, 3, 4)
                x[0, 0, :2], x[1, 2, 3] = (i.min, i.max), 7
                numpy.savez(sys.argv[1], rows=x, columns=numpy.asfortranarray(x), one=numpy.asfortranarray(x[:, :1, 0]))
                print(*(float(v) for v in x.ravel()))
                """, url.path, order + type)
            let expected = printed.split(separator: " ").compactMap { Double($0) }
            let file = try Npz(reading: url)
            for name in ["rows", "columns"] {
                let array = try file.array(name)
                #expect(array.shape == [2, 3, 4] && array.doubles == expected, "\(name)")
                let rows = try file.rows(name)
                var pieces: [Double] = []
                while let piece = try rows.next(1) { pieces += piece.doubles }
                #expect(pieces == expected, "\(name)")
            }
            #expect(try file.array("one").doubles == [expected[0], expected[12]])
        }
    }

    /// Arrays that numpy saves and that are not taken, and what the error must say besides file and member.
    @Test(arguments: [
        ("numpy.ones(3, 'c8')", "'<c8'"), ("numpy.ones(3, '?')", "'|b1'"), ("numpy.ones(3, 'u8')", "'<u8'"),
        ("numpy.ones(3, 'g')", "'<f16'"), ("numpy.array(['a'])", "'<U1'"), ("numpy.zeros(2, 'M8[s]')", "'<M8[s]'"),
        ("numpy.zeros(2, [('a', 'f4')])", "structured"),
    ])
    func otherArraysAreNamed(_ array: String, _ says: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("odd.npz")
            _ = try python("import numpy, sys; numpy.savez(sys.argv[1], good=numpy.ones(1), odd=\(array))", url.path)
            let file = try Npz(reading: url)
            #expect(try file.array("good").count == 1)
            let message = try #require(throws: InputError.self) { _ = try file.array("odd") }.message
            for part in ["odd.npz", "'odd'", says] { #expect(message.contains(part), "\(message)") }
        }
    }

    @Test func membersThatLieAboutTheirShapeAreErrors() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("lies.npz")
            _ = try python(
                """
                import io, numpy, sys, zipfile
                b = io.BytesIO(); numpy.save(b, numpy.ones(3)); good = b.getvalue()
                assert b"(3,), }" + b" " * 20 in good
                with zipfile.ZipFile(sys.argv[1], "w") as z:
                    z.writestr("short.npy", good[:-8])
                    z.writestr("long.npy", good + b"0")
                    z.writestr("header.npy", good[:40])
                    z.writestr("nothing.npy", b"")
                    z.writestr("text.npy", b"not an array at all")
                    z.writestr("three.npy", good[:6] + bytes([3]) + good[7:])
                    z.writestr("huge.npy", good.replace(b"(3,), }" + b" " * 20, b"(9999999999, 9999999999), }"))
                    z.writestr("negative.npy", good.replace(b"(3,)", b"(-3)"))
                """, url.path)
            let file = try Npz(reading: url)
            for name in file.names {
                let message = try #require(throws: InputError.self) { _ = try file.array(name) }.message
                #expect(message.contains("lies.npz") && message.contains("'\(name)'"), "\(message)")
            }
            #expect(file.names.count == 8)
        }
    }

    @Test(arguments: ["stored", "deflated"])
    func everyTruncationAndEveryFlippedByteOfValuesIsAnError(_ way: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("whole.npz")
            _ = try python(Self.saveAll, url.path, way)
            let whole = try Data(contentsOf: url)
            let damaged = folder.appendingPathComponent("damaged.npz")
            func expectError(_ what: String) throws {
                let message = try #require(throws: InputError.self, "\(what)") {
                    let file = try Npz(reading: damaged)
                    for name in file.names { _ = try file.array(name) }
                }.message
                #expect(message.contains("damaged.npz"), "\(message)")
            }
            for length in stride(from: 0, to: whole.count, by: 97) {
                try whole.prefix(length).write(to: damaged)
                try expectError("\(length) bytes of \(whole.count)")
            }
            // The largest member is the one of 700 floats: a byte in the middle of the file is one of its values.
            var flipped = whole
            flipped[whole.count / 2] ^= 0x40
            try flipped.write(to: damaged)
            try expectError("flipped byte")
        }
    }

    /// A header or an array that unfolds to far more than the file has is an error before memory is taken.
    @Test func whatUnfoldsToMuchIsRefused() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("bombs.npz")
            _ = try python(
                """
                import struct, sys, zipfile
                with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
                    z.writestr("header.npy", b"\\x93NUMPY\\x02\\0" + struct.pack("<I", 64 << 20) + bytes(64 << 20))
                    z.writestr("empty.npy", b"\\x93NUMPY\\x01\\0" + struct.pack("<H", 118) + b"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4611686018427387904, 9), }".ljust(117) + b"\\n")
                """, url.path)
            let file = try Npz(reading: url)
            let header = try #require(throws: InputError.self) { _ = try file.array("header") }.message
            #expect(header.contains("'header'") && header.contains("header of"), "\(header)")
            let empty = try #require(throws: InputError.self) { _ = try file.array("empty") }.message
            #expect(empty.contains("more than fits a file"), "\(empty)")
        }
    }

    @Test func missingArraysAndFilesAreNamed() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("some.npz")
            try Npz.write([("sigma", NumpyArray(shape: [1], .float64([1])))], to: url)
            let file = try Npz(reading: url)
            let absent = try #require(throws: InputError.self) { _ = try file.array("sigm") }.message
            #expect(absent.contains("did you mean 'sigma'?") && absent.contains("some.npz"), "\(absent)")
            let nowhere = folder.appendingPathComponent("nowhere.npz")
            let message = try #require(throws: InputError.self) { _ = try Npz(reading: nowhere) }.message
            #expect(message.contains("nowhere.npz"))
            let inNoFolder = folder.appendingPathComponent("no/where.npz")
            let unwritable = try #require(throws: InputError.self) { try Npz.write([], to: inNoFolder) }.message
            #expect(unwritable.contains("where.npz"))
        }
    }
}
