import Files
import Foundation
import RunStore
import TestSupport
import Testing

/// Files that claim more than they hold, or that lead elsewhere, as h5py writes them.
@Suite struct HDF5ClaimTests {
    private static let make = """
        import h5py, numpy as np, sys
        def big(f, name, shape, **more):
            f.create_dataset(name, shape, **more)
        with h5py.File(sys.argv[1] + "/claims.h5", "w") as f:
            big(f, "rows", (4, 2**33), dtype="u1", chunks=(1, 2**16))
            big(f, "square", (2**31, 2**31), dtype="f4", chunks=(64, 64))
            big(f, "cube", (2**40, 2**40, 2**40), dtype="f8", chunks=(8, 8, 8), maxshape=(None, None, None))
            big(f, "none", (0, 2**40, 2**40), dtype="f8", chunks=(8, 8, 8), maxshape=(None, None, None))
            big(f, "late", (2**34,), dtype="i4")
            big(f, "gzip", (2**34,), dtype="i4", chunks=(2**20,), compression="gzip")
            big(f, "chunk", (10,), dtype="u1", chunks=(2**31,), maxshape=(None,), compression="gzip")
            f["small"] = np.arange(6, dtype="i4").reshape(2, 3)
            f.create_dataset("unwritten", (3, 2), dtype="f4")
            f.create_dataset("zeros", data=np.zeros(1 << 22, "u1"), chunks=(1 << 20,), compression="gzip", compression_opts=9)
        """

    @Test func noMoreIsAskedForThanAFileHolds() throws {
        try withTemporaryFolder { folder in
            _ = try python(Self.make, folder.path)
            let url = folder.appendingPathComponent("claims.h5")
            let file = try HDF5File(reading: url)
            for name in ["rows", "square", "cube", "none", "late", "gzip", "chunk"] {
                for read in [
                    { _ = try file.shape(of: name) }, { _ = try file.read(name, as: Double.self) },
                    { _ = try file.read(name, as: Int64.self) }, { _ = try file.read(rows: 0..<1, of: name, as: UInt8.self) },
                ] as [() throws -> Void] {
                    let message = try #require(throws: InputError.self, "\(name)", performing: read).message
                    #expect(message.hasPrefix(url.path) && message.contains("'\(name)'"), "\(message)")
                }
                #expect(try #require(throws: InputError.self) { _ = try file.shape(of: name) }.message.contains("more than"))
            }
            #expect(try file.read("small", as: Int64.self).values == [0, 1, 2, 3, 4, 5])
            #expect(try file.read("unwritten", as: Float.self).values == [0, 0, 0, 0, 0, 0])
            #expect(try file.read("zeros", as: UInt8.self).values.count == 1 << 22)
        }
    }

    /// A group linked into itself ends; what is named is read through any link within the file, and nothing else is followed.
    @Test func linksAreFollowedOnlyWhereTheyAreNamed() throws {
        try withTemporaryFolder { folder in
            _ = try python(
                """
                import h5py, numpy as np, os, sys
                os.chdir(sys.argv[1])
                x = np.arange(4, dtype="f4")
                with h5py.File("other.h5", "w") as f: f["x"] = x
                with h5py.File("links.h5", "w") as f:
                    g = f.create_group("g")
                    g["self"], g["up"], g["x"] = g, f["/"], x
                    f["soft"], f["twice"] = h5py.SoftLink("/g/self/self/x"), g["x"]
                    f["dangling"], f["round"], f["all"] = h5py.SoftLink("/gone"), h5py.SoftLink("/round"), h5py.SoftLink("/")
                    f["outside"], f["elsewhere"] = h5py.ExternalLink("other.h5", "x"), h5py.ExternalLink("other.h5", "/")
                    layout = h5py.VirtualLayout((4,), "f4")
                    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
                    f.create_virtual_dataset("virtual", layout)
                    f.create_dataset("external", (4,), "f4", external=[("values.bin", 0, 16)])[:] = x
                """, folder.path)
            let file = try HDF5File(reading: folder.appendingPathComponent("links.h5"))
            #expect(try file.datasets() == ["external", "g/x", "soft", "twice", "virtual"])
            for name in ["soft", "twice", "g/x", "g/self/up/g/x", "all/g/x"] {
                #expect(try file.read(name, as: Float.self).values == [0, 1, 2, 3])
            }
            for name in ["dangling", "round", "outside", "elsewhere/x", "virtual", "external"] {
                let message = try #require(throws: InputError.self, "\(name)") { _ = try file.read(name, as: Float.self) }.message
                #expect(message.contains("links.h5") && message.contains("'\(name)'"), "\(message)")
            }
        }
    }

    /// Every type of h5py's: widened where nothing is lost, else named.
    @Test(arguments: [
        ("i1", "float64", "int8"), ("i2", "uint8", "int16"), ("u2", "uint8", "uint16"), ("u4", "int32", "uint32"),
        ("u8", "int64", "uint64"), ("i8", "int32", "int64"), ("f8", "float32", "float64"), ("?", "int32", "booleans"),
        ("c8", "float32", "compound"), ("S3", "float32", "text"), ("f4", "int64", "float32"),
    ])
    func otherTypesAreNamed(_ type: String, _ wanted: String, _ says: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("types.h5")
            _ = try python(
                "import h5py, numpy as np, sys; h5py.File(sys.argv[1], 'w')['x'] = np.array([1, 0, 1]).astype(sys.argv[2])", url.path, type)
            let file = try HDF5File(reading: url)
            let message = try #require(throws: InputError.self) {
                switch wanted {
                case "float32": _ = try file.read("x", as: Float.self)
                case "float64": _ = try file.read("x", as: Double.self)
                case "int32": _ = try file.read("x", as: Int32.self)
                case "int64": _ = try file.read("x", as: Int64.self)
                default: _ = try file.read("x", as: UInt8.self)
                }
            }.message
            #expect(message.contains(says) && message.contains("not \(wanted)"), "\(message)")
        }
    }

    @Test func narrowNumbersAreWidened() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("narrow.h5")
            _ = try python(
                """
                import h5py, numpy as np, sys
                with h5py.File(sys.argv[1], "w") as f:
                    for name, type, value in [("i1", "i1", -128), ("i2", ">i2", -32768), ("u2", "u2", 65535), ("u4", "u4", 2**32 - 1)]:
                        f[name] = np.array([value, 1]).astype(type)
                    f["f2"], f["f4"] = np.array([0.5, 65504], "f2"), np.array([0.1], ">f4")
                """, url.path)
            let file = try HDF5File(reading: url)
            for (name, value) in [("i1", -128), ("i2", -32768), ("u2", 65535)] {
                #expect(try file.read(name, as: Int32.self).values == [Int32(value), 1])
                #expect(try file.read(name, as: Int64.self).values == [Int64(value), 1])
            }
            #expect(try file.read("u4", as: Int64.self).values == [4_294_967_295, 1])
            #expect(try file.read("f2", as: Float.self).values == [0.5, 65504])
            #expect(try file.read("f2", as: Double.self).values == [0.5, 65504])
            #expect(try file.read("f4", as: Double.self).values == [Double(Float(0.1))])
        }
    }

    @Test func aFilterThatIsNotThereIsNamed() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("lzf.h5")
            _ = try python(
                """
                import h5py, numpy as np, sys
                with h5py.File(sys.argv[1], "w") as f: f.create_dataset("x", data=np.zeros(1000, "u1"), compression="lzf")
                """, url.path)
            let file = try HDF5File(reading: url)
            // Where the plugin of this filter is installed the data are read.
            let outcome = Result { try file.read("x", as: UInt8.self).values }
            if case .failure(let error) = outcome {
                #expect("\(error)".contains("'lzf'") && "\(error)".contains("gzip"), "\(error)")
            } else {
                #expect(try outcome.get() == [UInt8](repeating: 0, count: 1000))
            }
        }
    }

    @Test func attributesOfAnyText() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("attributes.h5")
            _ = try python(
                """
                import h5py, numpy as np, sys
                with h5py.File(sys.argv[1], "w") as f:
                    f.attrs["fixed"], f.attrs["varying"] = np.array([b"ant", b"be", b""]), ["ant", "be", ""]
                    f.attrs.create("ascii", ["ant", "be", ""], dtype=h5py.string_dtype("ascii"))
                    f["null"] = h5py.Empty("f4")
                    f.attrs["one"], f.attrs["bytes"] = "ant", np.bytes_("ant")
                    space = h5py.h5t.C_S1.copy(); space.set_size(5); space.set_strpad(h5py.h5t.STR_SPACEPAD)
                    a = h5py.h5a.create(f.id, b"blanks", space, h5py.h5s.create_simple((2,)))
                    a.write(np.array([b"ant  ", b"a b  "], "S5"), mtype=space)
                    f.attrs["numbers"], f.attrs["number"], f.attrs["empty"] = [1, 2], 7, h5py.Empty("S3")
                """, url.path)
            let file = try HDF5File(reading: url)
            for name in ["fixed", "varying", "ascii"] { #expect(try file.attribute(name) == ["ant", "be", ""]) }
            for name in ["one", "bytes"] { #expect(try file.attribute(name) == "ant") }
            #expect(try file.attribute("blanks") == ["ant", "a b"])
            #expect(try file.attribute("number") == 7 && file.attribute("absent") == nil)
            let message = try #require(throws: InputError.self) { _ = try file.attribute("numbers") }.message
            #expect(message.contains("'numbers'") && message.contains("int64"), "\(message)")
            let null = try #require(throws: InputError.self) { _ = try file.read("null", as: Float.self) }.message
            #expect(null.contains("'null'"))
            #expect((try? file.attribute("empty")) == .some(.strings([])) || (try? file.attribute("empty")) == nil)
        }
    }

    /// A checkpoint or metrics file of someone else's making is an error, whatever shapes it has.
    @Test func recordsOfOtherShapesAreErrors() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("metrics.h5")
            for (name, content) in [
                ("matrix", "f['step'], f['wall_seconds'], f['loss'] = np.zeros((2, 2), 'i8'), np.zeros(4), np.zeros(4, 'f4')"),
                ("short", "f['step'], f['wall_seconds'], f['loss'] = np.arange(4), np.zeros(2), np.zeros(4, 'f4')"),
                ("scalar", "f['step'], f['wall_seconds'], f['loss'] = 1, 1., np.float32(1)"),
            ] {
                _ = try python(
                    "import h5py, numpy as np, sys\nwith h5py.File(sys.argv[1], 'w', libver='v110') as f:\n  f.attrs['columns'] = ['loss']\n  \(content)",
                    url.path)
                let message = try #require(throws: InputError.self, "\(name)") { _ = try MetricsFile.read(url) }.message
                #expect(message.hasPrefix(url.path), "\(message)")
            }
        }
    }
}
