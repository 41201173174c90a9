import Files
import Foundation
import TestSupport
import Testing

@Suite struct SafetensorsTests {
    static let values: [(name: String, shape: [Int], values: TensorValues)] = [
        ("labels", [3], .uint8([0, 7, 255])),
        ("encoder.weight", [2, 3], .float32([0, -1.5, .pi, 1e-38, -3.4e38, 0.1])),
        ("train.losses", [2], .float64([1.0 / 3, -1e300])),
        ("indices", [2, 2], .int64([0, -1, .max, .min])),
        ("tokens", [1], .int32([-5])),
        ("nothing", [0, 4], .float32([])),
        ("scalar", [], .float32([2.5])),
    ]

    @Test func pythonReadsWhatIsWritten() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("a.safetensors")
            try SafetensorsFile.write(Self.values, metadata: ["made by": "a \"test\""], to: url)
            let printed = try python(
                """
                import sys, json, safetensors, numpy
                with safetensors.safe_open(sys.argv[1], "np") as f:
                    print(json.dumps({
                        "metadata": f.metadata(),
                        "tensors": {k: [str(f.get_tensor(k).dtype), list(f.get_tensor(k).shape),
                                        f.get_tensor(k).ravel().tolist()] for k in f.keys()}}))
                """, url.path)
            let read = try JSONValue(parsing: Data(printed.utf8))
            #expect(read["metadata"] == ["made by": "a \"test\""])
            #expect(read["tensors"]?.objectValue?.count == Self.values.count)
            for tensor in Self.values {
                let found = try #require(read["tensors"]?[tensor.name]?.arrayValue)
                #expect(found[1].arrayValue?.map(\.intValue) == tensor.shape)
                let numbers = found[2].arrayValue ?? []
                switch tensor.values {
                case .float32(let values):
                    #expect(found[0] == "float32")
                    #expect(numbers.map { Float($0.doubleValue!) } == values)
                case .float64(let values):
                    #expect(found[0] == "float64")
                    #expect(numbers.map(\.doubleValue) == values)
                case .int64(let values):
                    #expect(found[0] == "int64")
                    #expect(numbers.map(\.intValue) == values.map { Int($0) })
                case .int32(let values):
                    #expect(found[0] == "int32")
                    #expect(numbers.map(\.intValue) == values.map { Int($0) })
                case .uint8(let values):
                    #expect(found[0] == "uint8")
                    #expect(numbers.map(\.intValue) == values.map { Int($0) })
                }
            }
        }
    }

    @Test func readsEveryTypeThatPythonWrites() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("b.safetensors")
            let printed = try python(
                """
                import sys, json, torch
                from safetensors.torch import save_file
                torch.manual_seed(0)
                x = torch.randn(3, 5, dtype=torch.float64) * 100
                n = torch.randint(0, 100, (7,))
                floats = {s: x.to(getattr(torch, s)) for s in ["float64", "float32", "float16", "bfloat16"]}
                floats["float16"][0, 0] = float("inf")
                floats["float16"][0, 1] = 6e-8  # subnormal
                ints = {s: n.to(getattr(torch, s)) for s in ["int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"]}
                ints["int8"] -= 50
                ints["bool"] = n > 50
                save_file(floats | ints, sys.argv[1], metadata={"k": "v"})
                print(json.dumps({
                    "floats": {k: ["%r" % v for v in t.double().ravel().tolist()] for k, t in floats.items()},
                    "ints": {k: [int(v) for v in t.tolist()] for k, t in ints.items()}}))
                """, url.path)
            let expected = try JSONValue(parsing: Data(printed.utf8))
            let file = try SafetensorsFile(reading: url)
            #expect(file.metadata == ["k": "v"])
            #expect(file.names == file.names.sorted() && file.names.count == 13)
            for (name, values) in try #require(expected["floats"]?.objectValue) {
                let numbers = try #require(values.arrayValue).map { Double($0.stringValue!)! }
                #expect(try file.shape(name) == [3, 5])
                #expect(try file.doubles(name) == numbers, "\(name)")
                #expect(try file.floats(name) == numbers.map { Float($0) }, "\(name)")
                #expect(throws: InputError.self) { try file.ints(name) }
            }
            for (name, values) in try #require(expected["ints"]?.objectValue) {
                #expect(try file.shape(name) == [7])
                #expect(try file.ints(name) == values.arrayValue?.map(\.intValue), "\(name)")
                #expect(throws: InputError.self) { try file.floats(name) }
            }
        }
    }

    @Test func whatIsWrittenIsAlignedAndReadsBack() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("c.safetensors")
            try SafetensorsFile.write(Self.values, to: url)
            let bytes = try Data(contentsOf: url)
            #expect(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } % 8 == 0)
            let file = try SafetensorsFile(reading: url)
            #expect(file.names == Self.values.map(\.name).sorted())
            #expect(try file.dtype("train.losses") == .float64)
            #expect(try file.floats("encoder.weight") == [0, -1.5, .pi, 1e-38, -3.4e38, 0.1])
            #expect(try file.doubles("train.losses") == [1.0 / 3, -1e300])
            #expect(try file.ints("indices") == [0, -1, .max, .min])
            #expect(try file.shape("scalar") == [])
            #expect(try file.floats("nothing") == [])
        }
    }

    @Test func writingWhereNothingCanBeWrittenLeavesNothing() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("missing/d.safetensors")
            #expect(throws: InputError.self) { try SafetensorsFile.write(Self.values, to: url) }
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(left.isEmpty)
        }
    }

    @Test func aMissingNameIsAnsweredWithTheNearest() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("e.safetensors")
            try SafetensorsFile.write(Self.values, to: url)
            let error = #expect(throws: InputError.self) { try SafetensorsFile(reading: url).floats("encoder.wieght") }
            #expect(error?.message.contains("'encoder.weight'") == true)
            #expect(error?.message.contains(url.path) == true)
        }
    }

    /// A header text and a number of data bytes, and words the error must hold.
    static let malformed: [(header: String, data: Int, says: String)] = [
        ("[1, 2]", 0, "not a JSON object"),
        ("{\"a\": ", 0, "not a JSON object"),
        (#"{"a": {"shape": [1], "data_offsets": [0, 4]}}"#, 4, "dtype is missing"),
        (#"{"a": {"dtype": "F8_E5M2", "shape": [1], "data_offsets": [0, 1]}}"#, 1, "'F8_E5M2' is not one of"),
        (#"{"a": {"dtype": "F32", "data_offsets": [0, 4]}}"#, 4, "shape is not a list"),
        (#"{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}"#, 4, "shape is not a list"),
        (#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4]}}"#, 4, "not [begin, end]"),
        (#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}"#, 4, "not [begin, end]"),
        (#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}"#, 4, "takes 8 bytes"),
        (#"{"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 4]}}"#, 4, "more elements"),
        (#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}"#, 4, "truncated?"),
        (
            #"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
            8, "'a' and 'b' overlap"
        ),
        (
            #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}}"#,
            12, "between 'a' and 'b' belong to no tensor"
        ),
        (#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#, 6, "last 2 bytes"),
        (
            #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "\u0061": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#,
            4, "two entries named 'a'"
        ),
        (#"{"__metadata__": {"epoch": 3}}"#, 0, "__metadata__.epoch is not a string"),
        (#"{"__metadata__": "x"}"#, 0, "__metadata__ is not an object"),
    ]

    @Test(arguments: malformed.indices) func aMalformedFileIsNamedWithItsFault(_ index: Int) throws {
        let fault = Self.malformed[index]
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("f.safetensors")
            var bytes = withUnsafeBytes(of: UInt64(fault.header.utf8.count)) { Data($0) }
            bytes.append(Data(fault.header.utf8))
            bytes.append(Data(count: fault.data))
            try bytes.write(to: url)
            let error = #expect(throws: InputError.self) { try SafetensorsFile(reading: url) }
            let message = error?.message ?? ""
            #expect(message.hasPrefix("\(url.path): ") && message.contains(fault.says), "\(message)")
        }
    }

    @Test func aFileCutAnywhereIsRefused() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("g.safetensors")
            try SafetensorsFile.write(Self.values, to: url)
            let whole = try Data(contentsOf: url)
            for length in stride(from: 0, to: whole.count, by: 3) {
                try whole.prefix(length).write(to: url)
                #expect(throws: InputError.self, "cut to \(length)") { try SafetensorsFile(reading: url) }
            }
        }
        let error = #expect(throws: InputError.self) {
            try SafetensorsFile(reading: URL(fileURLWithPath: "/nowhere/x.safetensors"))
        }
        #expect(error?.message == "/nowhere/x.safetensors: no such file")
    }
}
