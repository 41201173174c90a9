import Files
import Foundation
import Testing

@Suite struct NameAndMemoryTests {
    @Test func namesAreTheirBytes() {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(composed == decomposed, "as texts they are the same")
        #expect(ExactName(composed) != ExactName(decomposed) && ExactName(composed) == ExactName("caf\u{E9}"))
        #expect(Set([composed, decomposed, composed].map(ExactName.init)).count == 2)
        #expect(
            [composed, "caf", decomposed, "z"].map(ExactName.init).sorted().map(\.text).map { Array($0.utf8) }
                == ["caf", decomposed, composed, "z"].map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) })
    }

    @Test func memoryThatCannotBeHadIsAnError() throws {
        try MemoryClaim.require(1 << 20, file: "a.h5", "dataset 'x'")
        for bytes in [1 << 45, Int.max] {
            let message = try #require(throws: InputError.self) { try MemoryClaim.require(bytes, file: "a.h5", "dataset 'x'") }.message
            #expect(message.hasPrefix("a.h5: dataset 'x' takes "), "\(message)")
        }
    }

    /// A pipe is never waited for.
    @Test func onlyFilesAreFiles() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("prologue-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let pipe = folder.appendingPathComponent("pipe")
        #expect(mkfifo(pipe.path, 0o600) == 0)
        #expect(throws: InputError.self) { try RegularFile.check(pipe) }
        #expect(throws: InputError.self) { try RegularFile.check(folder) }
        try RegularFile.check(folder.appendingPathComponent("missing"))
    }
}
