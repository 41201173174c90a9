/// A number type of numpy's that is written, and that others are widened to: `UInt8`, `Int32`, `Int64`, `Float`, `Double`.
public protocol NumpyElement: BitwiseCopyable, Sendable, Equatable {
    /// numpy's type text without the byte order, such as `f4`.
    static var numpyType: String { get }
}

extension UInt8: NumpyElement { public static var numpyType: String { "u1" } }
extension Int32: NumpyElement { public static var numpyType: String { "i4" } }
extension Int64: NumpyElement { public static var numpyType: String { "i8" } }
extension Float: NumpyElement { public static var numpyType: String { "f4" } }
extension Double: NumpyElement { public static var numpyType: String { "f8" } }

/// A row-major array of numbers with its shape, `[]` for a scalar.
public struct NumpyArray: Equatable, Sendable {
    public enum Values: Equatable, Sendable {
        case uint8([UInt8])
        case int32([Int32])
        case int64([Int64])
        case float32([Float])
        case float64([Double])
    }

    public let shape: [Int]
    public let values: Values

    public init(shape: [Int], _ values: Values) {
        self.shape = shape
        self.values = values
        precondition(
            count == shape.reduce(1, *), "an array of shape \(shape) holds \(shape.reduce(1, *)) values, not \(count)")
    }

    public var count: Int {
        switch values {
        case .uint8(let values): values.count
        case .int32(let values): values.count
        case .int64(let values): values.count
        case .float32(let values): values.count
        case .float64(let values): values.count
        }
    }

    /// The values as the bytes of a file.
    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        switch values {
        case .uint8(let values): try values.withUnsafeBytes(body)
        case .int32(let values): try values.withUnsafeBytes(body)
        case .int64(let values): try values.withUnsafeBytes(body)
        case .float32(let values): try values.withUnsafeBytes(body)
        case .float64(let values): try values.withUnsafeBytes(body)
        }
    }

    /// numpy's name of the number type.
    public var typeName: String {
        switch values {
        case .uint8: "uint8"
        case .int32: "int32"
        case .int64: "int64"
        case .float32: "float32"
        case .float64: "float64"
        }
    }

    /// The values as float64, which is exact for all but large `int64`.
    public var doubles: [Double] {
        switch values {
        case .uint8(let values): values.map(Double.init)
        case .int32(let values): values.map(Double.init)
        case .int64(let values): values.map(Double.init)
        case .float32(let values): values.map(Double.init)
        case .float64(let values): values
        }
    }
}
