import CPJRT

/// Options by name, laid out as the interface takes them. Texts and lists stay where they are while `withValues` runs.
struct NamedValues {
    private let options: [(name: String, value: Client.Option)]

    init(_ options: [String: Client.Option]) {
        self.options = options.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    func withValues<Result>(_ body: (UnsafeBufferPointer<pjrt_named_value>) throws -> Result) rethrows -> Result {
        var texts: [UnsafeMutablePointer<CChar>] = []
        var lists: [UnsafeMutablePointer<Int64>] = []
        defer {
            texts.forEach { $0.deallocate() }
            lists.forEach { $0.deallocate() }
        }
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
            case .numbers(let numbers):
                let list = UnsafeMutablePointer<Int64>.allocate(capacity: max(numbers.count, 1))
                for (place, number) in numbers.enumerated() { (list + place).initialize(to: Int64(number)) }
                lists.append(list)
                value.type = Int32(pjrt_value_int64_list.rawValue)
                (value.int64_list, value.value_size) = (UnsafePointer(list), numbers.count)
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

/// How a program is compiled: a message `CompileOptionsProto` of XLA, of which little is set.
public struct CompileOptions: Sendable, Equatable {
    /// Copies of the program that run at once, each on a device of its own.
    public var replicas = 1
    /// Ids of these devices; nil: those that the plugin counts first.
    public var devices: [Int]?
    /// The compiler's own options by name, such as `xla_dump_to`; what is not set here is as `XLA_FLAGS` says.
    public var overrides: [String: Client.Option] = [:]

    public init(replicas: Int = 1, devices: [Int]? = nil, overrides: [String: Client.Option] = [:]) {
        precondition(devices.map { $0.count == replicas } ?? true, "\(replicas) replicas on devices \(devices ?? [])")
        (self.replicas, self.devices, self.overrides) = (replicas, devices, overrides)
    }

    /// Field 3 (`executable_build_options`) with fields 4 (`num_replicas`), 5 (`num_partitions`) and 9 (`device_assignment`); field 7, a
    /// map, for the overrides.
    var bytes: [UInt8] {
        let build: [UInt8] = [0x20] + varint(replicas) + [0x28, 1] + (devices.map { field(9, assignment(of: $0)) } ?? [])
        let entries = overrides.sorted { $0.key < $1.key }.flatMap { name, value in
            field(7, field(1, Array(name.utf8)) + field(2, bytes(of: value)))
        }
        return field(3, build) + entries
    }

    /// The message `DeviceAssignmentProto`: numbers of replicas and of computations, and the only computation's devices.
    private func assignment(of devices: [Int]) -> [UInt8] {
        [0x08] + varint(devices.count) + [0x10, 1] + field(3, field(1, devices.flatMap(varint)))
    }

    /// The message `OptionOverrideProto`: a field for each type.
    private func bytes(of option: Client.Option) -> [UInt8] {
        switch option {
        case .text(let text): field(1, Array(text.utf8))
        case .flag(let flag): [0x10, flag ? 1 : 0]
        case .number(let number): [0x18] + varint(number)
        case .numbers: preconditionFailure("the compiler takes no lists")
        case .share(let share): [0x21] + withUnsafeBytes(of: Double(share).bitPattern.littleEndian) { Array($0) }
        }
    }

    /// A field of bytes: its number with the wire type 2, its length, itself.
    private func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] { varint(number << 3 | 2) + varint(bytes.count) + bytes }

    private func varint(_ value: Int) -> [UInt8] {
        var (rest, bytes) = (UInt64(bitPattern: Int64(value)), [UInt8]())
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
