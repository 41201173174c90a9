import Files
import Foundation
import TestSupport
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

    /// What the store's file system is, and what follows from it.
    @Test func doctorSaysWhereTheStoreLies() throws {
        let place = try Workplace()
        func found(_ isShared: String) throws -> String {
            let environment = ["PROLOGUE_SHARED_STORE": isShared, "XDG_CACHE_HOME": place.folder.path]
            let ended = try place.run("doctor", "--json", environment: environment)
            let rows = try #require(try JSONValue(parsing: Data(ended.output.utf8))["rows"]?.arrayValue)
            return rows.first { $0["topic"] == "store's file system" }?["found"]?.stringValue ?? ""
        }
        let name = try place.python(
            "import subprocess as s; print(s.check_output(['findmnt', '-no', 'FSTYPE', '-T', '.'], text=True).split()[-1])")
        #expect(try found("0").hasPrefix("\(name), of this host"))
        #expect(try found("1").hasPrefix("\(name), shared with other hosts"))
        #expect(try found("1").contains("\(place.folder.path)/prologue/index/"))
    }

    /// A slow core forced by the environment is warned of, and does not make the doctor fail.
    @Test func doctorWarnsOfASlowCore() throws {
        let processor = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
        guard processor.contains(" avx2 ") else { return }
        let ended = try Workplace().run("doctor", environment: ["OPENBLAS_CORETYPE": "Nehalem"])
        #expect(ended.code == 0)
        #expect(ended.output.contains("unset OPENBLAS_CORETYPE"), "\(ended.output)")
    }

    /// Also where OpenBLAS is older than the processor and takes it for one of the oldest.
    @Test func openBLASRunsWhatTheProcessorHas() throws {
        let place = try Workplace()
        let output = try runProgram("/usr/bin/env", ["-u", "OPENBLAS_CORETYPE", program.path, "doctor"], in: place.folder)
        #expect(output.contains("OpenBLAS core") && !output.contains("OpenBLAS runs"), "\(output)")
    }

    @Test func kernelsObeyTheirVariable() throws {
        let place = try Workplace()
        let ended = try place.run("doctor", "--json", environment: ["PROLOGUE_KERNELS": "plain"])
        let rows = try #require(try JSONValue(parsing: Data(ended.output.utf8))["rows"]?.arrayValue)
        #expect(rows.contains { $0["topic"]?.stringValue == "kernels" && $0["found"]?.stringValue == "plain, PROLOGUE_KERNELS=plain" })
    }

    /// Whatever the command, before it begins.
    @Test(arguments: [
        ("PROLOGUE_KERNELS", "avx3", "plain"), ("PROLOGUE_KERNELS", "AVX2", "plain"), ("PROLOGUE_THREADS", "four", "a whole number"),
        ("PROLOGUE_THREADS", "0", "from 1 on"), ("PROLOGUE_THREADS", "1.5", "a whole number"),
    ])
    func variablesThatAreWrongEndTheProgram(name: String, value: String, expected: String) throws {
        let ended = try Workplace().run("doctor", environment: [name: value])
        #expect(ended.code == 2 && ended.errors.contains("error: \(name)=\(value)") && ended.errors.contains(expected))
    }
}
