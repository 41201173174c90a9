import Foundation

/// The values of a tensor to be written, in row-major order; each case is one element type of the format.
public enum TensorValues: Sendable, Equatable {
    case float32([Float])
    case float64([Double])
    case int64([Int64])
    case int32([Int32])
    case uint8([UInt8])

    public var count: Int {
        switch self {
        case .float32(let values): values.count
        case .float64(let values): values.count
        case .int64(let values): values.count
        case .int32(let values): values.count
        case .uint8(let values): values.count
        }
    }

    var type: SafetensorsType {
        switch self {
        case .float32: .float32
        case .float64: .float64
        case .int64: .int64
        case .int32: .int32
        case .uint8: .uint8
        }
    }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        switch self {
        case .float32(let values): try values.withUnsafeBytes(body)
        case .float64(let values): try values.withUnsafeBytes(body)
        case .int64(let values): try values.withUnsafeBytes(body)
        case .int32(let values): try values.withUnsafeBytes(body)
        case .uint8(let values): try values.withUnsafeBytes(body)
        }
    }
}

/// A file of named tensors in the safetensors format, memory-mapped: only the tensors asked for are read.
public struct SafetensorsFile: Sendable {
    public let url: URL
    /// In alphabetical order.
    public let names: [String]
    public let metadata: [String: String]
    private let data: Data
    private let dataStart: Int
    private let entries: [String: SafetensorsHeader.Entry]

    /// Opens the file and checks its whole header.
    /// - Throws: `InputError` naming the file and what is wrong with it.
    public init(reading url: URL) throws {
        do {
            data = try Data(contentsOf: url, options: .mappedIfSafe)
        } catch {
            guard try isPresent(url) else { throw InputError(file: url.path, "no such file") }
            throw InputError(file: url.path, cannot: "read", because: error)
        }
        let header: SafetensorsHeader
        do { header = try SafetensorsHeader(of: data, file: url.path) } catch let error as InputError {
            // The whole file has been read: what does not fit is its content.
            throw InputError(error.message, isDamage: true)
        }
        self.url = url
        dataStart = header.dataStart
        entries = header.entries
        metadata = header.metadata
        names = header.entries.keys.sorted()
    }

    public func contains(_ name: String) -> Bool { entries[name] != nil }

    /// Sizes of the tensor; a scalar has none.
    public func shape(_ name: String) throws -> [Int] { try entry(name).shape }

    public func dtype(_ name: String) throws -> SafetensorsType { try entry(name).type }

    /// Values of a tensor of any floating type, rounded to float32 if it is wider.
    public func floats(_ name: String) throws -> [Float] {
        let entry = try entry(name)
        switch entry.type {
        case .float32: return elements(entry, as: Float.self) { $0 }
        case .float64: return elements(entry, as: Double.self) { Float($0) }
        case .float16: return elements(entry, as: Float16.self) { Float($0) }
        case .bfloat16: return elements(entry, as: UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        default: throw wrongType(name, entry, "floating-point numbers")
        }
    }

    /// Fills `values` with a tensor of any floating type, read from the file a piece at a time: no page of it stays in
    /// memory, so that filling a model takes the model's memory and no more.
    /// - Throws: `InputError` where the file has other bytes than its header says, or the tensor no floats.
    public func read(_ name: String, into values: inout MutableSpan<Float>) throws {
        try values.withUnsafeMutableBufferPointer { try read(name, into: $0) }
    }

    private func read(_ name: String, into values: UnsafeMutableBufferPointer<Float>) throws {
        let entry = try entry(name)
        guard let size = [.float32: 4, .float64: 8, .float16: 2, .bfloat16: 2][entry.type] else {
            throw wrongType(name, entry, "floating-point numbers")
        }
        let count = entry.range.count / size
        precondition(values.count == count, "'\(name)' has \(count) values, room is for \(values.count)")
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputError(file: url.path, "cannot be opened: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let chunk = 1 << 18
        try withUnsafeTemporaryAllocation(byteCount: min(chunk, max(1, count)) * size, alignment: 8) { buffer in
            for first in stride(from: 0, to: count, by: chunk) {
                let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(min(chunk, count - first) * size)])
                try fill(bytes, descriptor, at: dataStart + entry.range.lowerBound + first * size)
                for i in 0..<bytes.count / size {
                    values[first + i] =
                        switch entry.type {
                        case .float64: Float(bytes.loadUnaligned(fromByteOffset: 8 * i, as: Double.self))
                        case .float16: Float(bytes.loadUnaligned(fromByteOffset: 2 * i, as: Float16.self))
                        case .bfloat16:
                            Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)) << 16)
                        default: bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
                        }
                }
            }
        }
    }

    /// The same as a new array.
    public func streamedFloats(_ name: String) throws -> [Float] {
        let count = try shape(name).reduce(1, *)
        return try Array(unsafeUninitializedCapacity: count) { buffer, written in
            try read(name, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
            written = count
        }
    }

    private func fill(_ bytes: UnsafeMutableRawBufferPointer, _ descriptor: Int32, at start: Int) throws {
        var done = 0
        while done < bytes.count {
            let got = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(start + done))
            guard got > 0 else {
                throw InputError(file: url.path, "ends at byte \(start + done), where its header says that there is more: truncated?")
            }
            done += got
        }
    }

    /// Values of a tensor of any floating type.
    public func doubles(_ name: String) throws -> [Double] {
        let entry = try entry(name)
        if entry.type == .float64 { return elements(entry, as: Double.self) { $0 } }
        return try floats(name).map(Double.init)
    }

    /// Values of a tensor of any integer type; `BOOL` gives 0 and 1.
    public func ints(_ name: String) throws -> [Int] {
        let entry = try entry(name)
        switch entry.type {
        case .int64: return elements(entry, as: Int64.self) { Int($0) }
        case .int32: return elements(entry, as: Int32.self) { Int($0) }
        case .int16: return elements(entry, as: Int16.self) { Int($0) }
        case .int8: return elements(entry, as: Int8.self) { Int($0) }
        case .uint32: return elements(entry, as: UInt32.self) { Int($0) }
        case .uint16: return elements(entry, as: UInt16.self) { Int($0) }
        case .uint8: return elements(entry, as: UInt8.self) { Int($0) }
        case .bool: return elements(entry, as: UInt8.self) { $0 == 0 ? 0 : 1 }
        case .uint64:
            let values = elements(entry, as: UInt64.self) { Int(exactly: $0) }
            guard let large = values.firstIndex(of: nil) else { return values.compactMap { $0 } }
            throw InputError(file: url.path, "tensor '\(name)': element \(large) is larger than \(Int.max)")
        default: throw wrongType(name, entry, "integers")
        }
    }

    private func entry(_ name: String) throws -> SafetensorsHeader.Entry {
        if let entry = entries[name] { return entry }
        let hint = nearest(to: name, among: names).map { "; the nearest name is '\($0)'" } ?? ""
        throw InputError(file: url.path, "no tensor '\(name)'\(hint)")
    }

    private func wrongType(_ name: String, _ entry: SafetensorsHeader.Entry, _ wanted: String) -> InputError {
        InputError(file: url.path, "tensor '\(name)' is \(entry.type.rawValue), expected \(wanted)")
    }

    /// The format is little-endian, as is every machine this runs on; tensors need not be aligned in the file.
    private func elements<Stored: BitwiseCopyable, Value>(
        _ entry: SafetensorsHeader.Entry, as type: Stored.Type, _ convert: (Stored) -> Value
    ) -> [Value] {
        let range = dataStart + entry.range.lowerBound..<dataStart + entry.range.upperBound
        return data.withUnsafeBytes { file in
            let bytes = UnsafeRawBufferPointer(rebasing: file[range])
            let count = bytes.count / MemoryLayout<Stored>.size
            return Array(unsafeUninitializedCapacity: count) { out, written in
                for i in 0..<count {
                    let value = bytes.loadUnaligned(fromByteOffset: i * MemoryLayout<Stored>.size, as: Stored.self)
                    (out.baseAddress! + i).initialize(to: convert(value))
                }
                written = count
            }
        }
    }

    /// Writes `tensors` to `url` in one step: the file is the old one or the new one, never half of it.
    ///
    /// Names must differ, none may be `__metadata__`, and each shape must hold exactly its values.
    /// Widest element types go first and the header is padded to 8 bytes, so that every tensor is aligned.
    public static func write(
        _ tensors: [(name: String, shape: [Int], values: TensorValues)],
        metadata: [String: String] = [:], to url: URL
    ) throws {
        for tensor in tensors {
            precondition(
                tensor.shape.reduce(1, *) == tensor.values.count,
                "tensor '\(tensor.name)' of shape \(tensor.shape) is given \(tensor.values.count) values")
        }
        try write(tensors.map { ($0.name, $0.shape, $0.values.type) }, metadata: metadata, to: url) { tensors[$0].values }
    }

    /// The same for float32 tensors whose values are asked for one tensor at a time, by position, when their turn comes.
    public static func write(
        float32 tensors: [(name: String, shape: [Int])], metadata: [String: String] = [:], to url: URL,
        values: (Int) throws -> [Float]
    ) throws {
        try write(tensors.map { ($0.name, $0.shape, .float32) }, metadata: metadata, to: url) { .float32(try values($0)) }
    }

    private static func write(
        _ tensors: [(name: String, shape: [Int], type: SafetensorsType)], metadata: [String: String], to url: URL,
        values: (Int) throws -> TensorValues
    ) throws {
        let inOrder = tensors.indices.sorted {
            (-tensors[$0].type.byteCount, $0) < (-tensors[$1].type.byteCount, $1)
        }
        var members: [String: JSONValue] = [:]
        if !metadata.isEmpty { members["__metadata__"] = .object(metadata.mapValues { .string($0) }) }
        var offset = 0
        for tensor in inOrder.map({ tensors[$0] }) {
            precondition(
                tensor.name != "__metadata__" && members[tensor.name] == nil, "tensor name '\(tensor.name)' is already taken")
            let end = offset + tensor.shape.reduce(1, *) * tensor.type.byteCount
            members[tensor.name] = [
                "dtype": .string(tensor.type.rawValue),
                "shape": .array(tensor.shape.map { .int($0) }),
                "data_offsets": [.int(offset), .int(end)],
            ]
            offset = end
        }
        var text = Data(JSONValue.object(members).canonical.utf8)
        text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: -text.count & 7))
        let length = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) }

        try AtomicFile.replace(url) { aside in
            let descriptor = open(aside.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw InputError(file: url.path, cannot: "write") }
            let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            func write(_ data: Data) throws {
                do { try file.write(contentsOf: data) } catch { throw InputError(file: url.path, cannot: "write", because: error) }
            }
            try write(length + text)
            for index in inOrder {
                let (tensor, content) = (tensors[index], try values(index))
                precondition(
                    tensor.shape.reduce(1, *) == content.count && tensor.type == content.type,
                    "tensor '\(tensor.name)' of shape \(tensor.shape) is given \(content.count) values of \(content.type)")
                try content.withBytes { bytes in
                    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
                    // The handle only reads what it is given, so the array's own bytes go out without a copy.
                    let view = Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count, deallocator: .none)
                    try write(view)
                }
            }
        }
    }
}
