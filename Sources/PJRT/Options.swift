import CPJRT

/// Options by name, laid out as the interface takes them. Texts stay where they are while `withValues` runs.
struct NamedValues {
    private let options: [(name: String, value: Client.Option)]

    init(_ options: [String: Client.Option]) {
        self.options = options.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    func withValues<Result>(_ body: (UnsafeBufferPointer<pjrt_named_value>) throws -> Result) rethrows -> Result {
        var texts: [UnsafeMutablePointer<CChar>] = []
        defer { texts.forEach { $0.deallocate() } }
        func kept(_ text: String) -> (UnsafePointer<CChar>, Int) {
            let bytes = Array(text.utf8CString)
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            copy.initialize(from: bytes, count: bytes.count)
            texts.append(copy)
            return (UnsafePointer(copy), bytes.count - 1)
        }
        let values = options.map { name, option in
            var value = pjrt_named_value()
            value.struct_size = MemoryLayout<pjrt_named_value>.size
            (value.name, value.name_size) = kept(name)
            value.value_size = 1
            switch option {
            case .text(let text):
                value.type = Int32(pjrt_value_string.rawValue)
                (value.string_value, value.value_size) = kept(text)
            case .number(let number):
                value.type = Int32(pjrt_value_int64.rawValue)
                value.int64_value = Int64(number)
            case .share(let share):
                value.type = Int32(pjrt_value_float.rawValue)
                value.float_value = share
            case .flag(let flag):
                value.type = Int32(pjrt_value_bool.rawValue)
                value.bool_value = flag
            }
            return value
        }
        return try values.withUnsafeBufferPointer(body)
    }
}

/// How a program is compiled: a message `CompileOptionsProto` of XLA, of which three numbers are set.
public struct CompileOptions: Sendable, Equatable {
    /// Copies of the program that run at once, each on a device of its own.
    public var replicas = 1

    public init(replicas: Int = 1) { self.replicas = replicas }

    /// Field 3 (`executable_build_options`) with fields 4 (`num_replicas`) and 5 (`num_partitions`).
    var bytes: [UInt8] {
        let build: [UInt8] = [0x20] + varint(replicas) + [0x28, 1]
        return [0x1a] + varint(build.count) + build
    }

    private func varint(_ value: Int) -> [UInt8] {
        var (rest, bytes) = (UInt64(value), [UInt8]())
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}

/// Lays out a program of StableHLO text with its options.
func withProgram<Result>(
    _ text: String, _ options: CompileOptions,
    _ body: (UnsafePointer<pjrt_program>, UnsafeBufferPointer<CChar>) throws -> Result
) rethrows -> Result {
    var text = text
    let bytes = options.bytes.map { CChar(bitPattern: $0) }
    return try text.withUTF8 { code in
        try "mlir".withCString { format in
            var program = pjrt_program()
            program.struct_size = MemoryLayout<pjrt_program>.size
            // Read only, though the interface has no const here.
            program.code = UnsafeMutableRawPointer(mutating: code.baseAddress)?.assumingMemoryBound(to: CChar.self)
            program.code_size = code.count
            program.format = format
            program.format_size = 4
            return try bytes.withUnsafeBufferPointer { try body(&program, $0) }
        }
    }
}
