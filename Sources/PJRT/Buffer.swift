import CPJRT
import Files

/// The numbers that a buffer may hold.
public enum ElementType: Int32, Sendable, CaseIterable {
    case bool = 1
    case int32 = 4
    case uint8 = 6
    case uint32 = 8
    case float32 = 11
    case bfloat16 = 13

    /// Bytes of one number.
    public var size: Int {
        switch self {
        case .bool, .uint8: 1
        case .bfloat16: 2
        case .int32, .uint32, .float32: 4
        }
    }
}

/// Numbers in the memory of a device, dense and row-major.
public final class Buffer {
    public let type: ElementType
    public let shape: [Int]
    let object: UnsafeMutableRawPointer
    private let client: Client

    public var count: Int { shape.reduce(1, *) }

    /// Copies `bytes`, the numbers in row-major order, to a device.
    public init(_ bytes: UnsafeRawBufferPointer, _ type: ElementType, shape: [Int], on device: Device, of client: Client) throws {
        precondition(
            bytes.count == shape.reduce(1, *) * type.size,
            "\(bytes.count) bytes are not \(shape) numbers of \(type.size) bytes")
        self.type = type
        self.shape = shape
        self.client = client
        let dims = shape.map { Int64($0) }
        object = try dims.withUnsafeBufferPointer { dims in
            var arguments = pjrt_buffer_creation()
            arguments.client = client.object
            arguments.data = bytes.baseAddress
            arguments.type = type.rawValue
            arguments.dims = dims.baseAddress
            arguments.dim_count = dims.count
            // The numbers are the caller's again when the call returns.
            arguments.semantics = Int32(pjrt_immutable_during_call.rawValue)
            arguments.device = device.object
            try client.plugin.call(pjrt_client_buffer_from_host_buffer, &arguments)
            try client.plugin.await(arguments.done_with_host_buffer)
            return arguments.buffer
        }
    }

    /// Copies an array of numbers of the type's size to a device.
    public static func of<Number>(
        _ numbers: [Number], _ type: ElementType, shape: [Int], on device: Device, of client: Client
    ) throws -> Buffer {
        precondition(MemoryLayout<Number>.stride == type.size, "\(Number.self) is not \(type)")
        return try numbers.withUnsafeBytes { try Buffer($0, type, shape: shape, on: device, of: client) }
    }

    /// Takes over what a program has made.
    init(taking object: UnsafeMutableRawPointer, of client: Client) throws {
        self.object = object
        self.client = client
        var number = pjrt_object_int()
        number.object = UnsafeRawPointer(object)
        try client.plugin.call(pjrt_buffer_element_type, &number)
        guard let type = ElementType(rawValue: number.number) else {
            throw InputError("a program returned numbers of type \(number.number), which is not used here")
        }
        self.type = type
        var dims = pjrt_object_dims()
        dims.object = object
        try client.plugin.call(pjrt_buffer_dimensions, &dims)
        shape = UnsafeBufferPointer(start: dims.dims, count: dims.count).map { Int($0) }
    }

    deinit {
        var arguments = pjrt_object()
        arguments.object = object
        client.plugin.callIgnoringErrors(pjrt_buffer_destroy, &arguments)
    }

    /// Whether the numbers are gone, as after a program to which they were donated.
    public func isDeleted() throws -> Bool {
        var arguments = pjrt_object_flag()
        arguments.object = object
        try client.plugin.call(pjrt_buffer_is_deleted, &arguments)
        return arguments.flag
    }

    /// Waits for the numbers and copies them to `bytes`.
    public func copy(to bytes: UnsafeMutableRawBufferPointer) throws {
        precondition(bytes.count == count * type.size, "\(bytes.count) bytes for \(shape) numbers of \(type.size) bytes")
        var arguments = pjrt_buffer_fetch()
        arguments.source = object
        arguments.destination = bytes.baseAddress
        arguments.destination_size = bytes.count
        try client.plugin.call(pjrt_buffer_to_host_buffer, &arguments)
        try client.plugin.await(arguments.event)
    }

    /// The numbers as an array of a type of the same size.
    public func numbers<Number>(as _: Number.Type = Number.self) throws -> [Number] {
        precondition(MemoryLayout<Number>.stride == type.size, "\(Number.self) is not \(type)")
        return try [Number](unsafeUninitializedCapacity: count) { storage, filled in
            try copy(to: UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: storage[..<count])))
            filled = count
        }
    }
}

extension Plugin {
    /// Waits for an event and frees it; its error is thrown.
    func await(_ event: UnsafeMutableRawPointer?) throws {
        guard let event else { return }
        var arguments = pjrt_object()
        arguments.object = event
        defer { callIgnoringErrors(pjrt_event_destroy, &arguments) }
        try call(pjrt_event_await, &arguments)
    }
}
