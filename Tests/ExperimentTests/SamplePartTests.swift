import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// Drawing goes on where it was stopped.
@Suite struct SamplePartTests {
    private static let set = ["sampling.batch=2", "sampling.settings.cool=null"]

    private func rows(_ store: Store, _ id: String) throws -> (tokens: [Int32], images: [UInt8]) {
        let file = try HDF5File(reading: store.stage(id: id).url("samples.h5"))
        return (try file.read("tokens", as: Int32.self).values, try file.read("images", as: UInt8.self).values)
    }

    @Test func samplesGoOnFromTheirParts() throws {
        let (first, second) = (try Place(), try Place())
        #expect(try first.runner(set: Self.set).run(upTo: "samples.nocfg").failed.isEmpty)
        let id = try #require(try first.ids(set: Self.set)["samples.nocfg"])
        let whole = try rows(first.store, id)
        let (width, size) = (whole.tokens.count / 20, whole.images.count / 20)

        #expect(try second.runner(set: Self.set).run(upTo: "prior").failed.isEmpty)
        // Other tokens in the part tell whether it is read; its images are as they were.
        let folder = second.store.stage(id: id).directory
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try HDF5File.write(atomicallyTo: folder.appendingPathComponent("drawn-0-8.h5")) { file in
            try file.write([Int32](repeating: 0, count: 8 * width), to: "tokens", shape: [8, width])
            try file.write(Array(whole.images[..<(8 * size)]), to: "images", shape: [8, size])
        }
        #expect(try second.runner(set: Self.set).run(upTo: "samples.nocfg").failed.isEmpty)
        let resumed = try rows(second.store, id)
        #expect(resumed.images == whole.images)
        #expect(resumed.tokens[..<(8 * width)].allSatisfy { $0 == 0 })
        #expect(resumed.tokens[(8 * width)...] == whole.tokens[(8 * width)...])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("drawn") }.isEmpty)
    }
}
