import Files
import Foundation
import Testing

@Suite struct DoctorTests {
    @Test func doctorNamesWhatItFinds() throws {
        let place = try Workplace()
        let rows = try #require(try place.json("doctor", "--json")["rows"]?.arrayValue)
        func found(_ topic: String) -> String {
            rows.first { $0["topic"]?.stringValue == topic }?["found"]?.stringValue ?? ""
        }
        for topic in ["prologue", "Swift", "OpenBLAS", "HDF5", "SQLite", "libpng", "OpenSSL", "threads", "disk free"] {
            #expect(found(topic).contains { $0.isNumber }, "\(topic): \(found(topic))")
        }
        // Python links the system's zlib and sees the same processor.
        #expect(try place.python("import zlib; print(zlib.ZLIB_RUNTIME_VERSION)") == found("zlib"))
        let cores = try place.python("import os; print(len(os.sched_getaffinity(0)))")
        #expect(found("processor").hasSuffix(" \(cores) cores"), "\(found("processor"))")
        #expect(found("store").contains(place.store.path))
        #expect(!FileManager.default.fileExists(atPath: place.store.path), "looking does not make a store")
    }

    /// A slow core forced by the environment is warned of, and does not make the doctor fail.
    @Test func doctorWarnsOfASlowCore() throws {
        let processor = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
        guard processor.contains(" avx2 ") else { return }
        let ended = try Workplace().run("doctor", environment: ["OPENBLAS_CORETYPE": "Nehalem"])
        #expect(ended.code == 0)
        #expect(ended.output.contains("unset OPENBLAS_CORETYPE"), "\(ended.output)")
    }
}
