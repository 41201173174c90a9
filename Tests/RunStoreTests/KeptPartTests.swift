import Files
import Foundation
import RunStore
import Testing

/// Long work that is kept part by part.
@Suite struct KeptPartTests {
    private struct Stop: Error {}

    @Test func onlyWhatIsMissingIsMadeAgain() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("parts-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try Store(directory: folder)
        let identity = StageIdentity(kind: "samples", settings: ["count": 10], formatVersion: 1)
        var made: [Range<Int>] = []
        func perform(_ work: StageWork, stoppingAt stop: Int? = nil) throws -> [Int32] {
            var parts = KeptParts(work, named: "rows")
            try parts.fill(10, size: 4) { range, file in
                if range.lowerBound == stop { throw Stop() }
                made.append(range)
                try file.write(range.map(Int32.init), to: "rows", shape: [range.count])
            }
            var rows: [Int32] = []
            try parts.forEach { range, file in rows += try file.read("rows", as: Int32.self, shape: [range.count]).values }
            return rows
        }
        func run(_ body: (StageWork) throws -> Void) throws {
            _ = try store.perform(identity) { work in
                try body(work)
                return .null
            }
        }
        #expect(throws: Stop.self) { try run { _ = try perform($0, stoppingAt: 8) } }
        #expect(made == [0..<4, 4..<8])
        // One that was damaged meanwhile is noticed before it is read.
        let place = store.stage(identity).directory
        let damaged = place.appendingPathComponent("rows-4-8.h5")
        var bytes = try Data(contentsOf: damaged)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: damaged)
        made = []
        var rows: [Int32] = []
        try run { rows = try perform($0) }
        #expect(rows == Array(0..<10))
        #expect(made == [4..<8, 8..<10])
        let left = try FileManager.default.contentsOfDirectory(atPath: place.path).filter { $0.hasPrefix("rows") }
        #expect(left.isEmpty, "\(left)")
    }
}
