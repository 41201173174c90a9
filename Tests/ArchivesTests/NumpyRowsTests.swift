import Archives
import Files
import Foundation
import TestSupport
import Testing

/// Arrays read some rows at a time.
@Suite struct NumpyRowsTests {
    @Test(arguments: ["stored", "deflated"])
    func rowsAreThoseOfTheWholeArray(_ way: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("images.npz")
            let printed = try python(
                """
                import numpy, sys
                save = {"stored": numpy.savez, "deflated": numpy.savez_compressed}[sys.argv[2]]
                images = (numpy.arange(23 * 7 * 5 * 3) ** 2 // 11 % 251).astype("u1").reshape(23, 7, 5, 3)
                save(sys.argv[1], arr_0=images, flat=numpy.arange(9.0), scalar=numpy.float64(1), none=numpy.zeros((0, 3)))
                print(*images[10:17].ravel())
                """, url.path, way)
            let expected = printed.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0) }
            let file = try Npz(reading: url)
            let rows = try file.rows("arr_0")
            #expect(rows.shape == [23, 7, 5, 3] && rows.typeName == "uint8")
            var seen: [UInt8] = []
            var counts: [Int] = []
            while let block = try rows.next(10) {
                guard case .uint8(let values) = block.values else { return }
                seen += values
                counts.append(block.shape[0])
                #expect(block.shape.dropFirst() == [7, 5, 3])
            }
            #expect(counts == [10, 10, 3] && rows.position == 23)
            #expect(try file.array("arr_0") == NumpyArray(shape: [23, 7, 5, 3], .uint8(seen)))
            #expect(Array(seen[10 * 105..<17 * 105]) == expected && expected.count == 735)
            let flat = try file.rows("flat")
            #expect(try flat.next(4) == NumpyArray(shape: [4], .float64([0, 1, 2, 3])))
            #expect(try flat.next(99) == NumpyArray(shape: [5], .float64([4, 5, 6, 7, 8])))
            #expect(try flat.next(1) == nil)
            #expect(try file.rows("none").next(1) == nil)
            #expect(try file.array("none").shape == [0, 3] && file.array("scalar").shape == [])
        }
    }

    /// Damage is met where it lies: rows before it can be read, its end cannot.
    @Test(arguments: ["stored", "deflated"])
    func damageIsFoundAtTheEndAtTheLatest(_ way: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("images.npz")
            _ = try python(
                """
                import numpy, sys
                save = {"stored": numpy.savez, "deflated": numpy.savez_compressed}[sys.argv[2]]
                save(sys.argv[1], arr_0=numpy.random.default_rng(0).integers(0, 256, (400, 50), dtype="u1"))
                """, url.path, way)
            var bytes = try Data(contentsOf: url)
            bytes[bytes.count * 3 / 4] ^= 0x10
            try bytes.write(to: url)
            let rows = try Npz(reading: url).rows("arr_0")
            let error = try #require(throws: InputError.self) { while try rows.next(37) != nil {} }
            #expect(error.message.contains("images.npz") && error.message.contains("arr_0"), "\(error)")
        }
    }
}
