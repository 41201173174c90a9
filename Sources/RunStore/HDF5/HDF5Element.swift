internal import CHDF5

/// The number types that are stored in HDF5 files.
public enum HDF5Kind: String, Sendable {
    case float32, float64, int32, int64, uint8

    /// The library's identifier for this type; call only while HDF5 is entered through `HDF5Library`.
    var nativeType: hid_t {
        switch self {
        case .float32: h5_native_float()
        case .float64: h5_native_double()
        case .int32: h5_native_int32()
        case .int64: h5_native_int64()
        case .uint8: h5_native_uint8()
        }
    }

    var byteCount: Int {
        switch self {
        case .float64, .int64: 8
        case .float32, .int32: 4
        case .uint8: 1
        }
    }

    /// Whether every value of `stored` is exactly representable in this kind.
    func holds(_ stored: HDF5Kind) -> Bool {
        switch (stored, self) {
        case _ where stored == self: true
        case (.float32, .float64), (.int32, .int64), (.uint8, .int32), (.uint8, .int64): true
        default: false
        }
    }
}

/// A number type that HDF5 stores: `Float`, `Double`, `Int32`, `Int64`, `UInt8`.
public protocol HDF5Element: BitwiseCopyable, Sendable, Equatable {
    static var hdf5Kind: HDF5Kind { get }
    static var zero: Self { get }
}

extension Float: HDF5Element { public static var hdf5Kind: HDF5Kind { .float32 } }
extension Double: HDF5Element { public static var hdf5Kind: HDF5Kind { .float64 } }
extension Int32: HDF5Element { public static var hdf5Kind: HDF5Kind { .int32 } }
extension Int64: HDF5Element { public static var hdf5Kind: HDF5Kind { .int64 } }
extension UInt8: HDF5Element { public static var hdf5Kind: HDF5Kind { .uint8 } }

/// A contiguous row-major array with its shape, as a dataset holds it.
public struct HDF5Array<Element: HDF5Element>: Equatable, Sendable {
    public var shape: [Int]
    public var values: [Element]

    /// `values.count` must be the product of `shape`.
    public init(shape: [Int], values: [Element]) {
        precondition(
            values.count == shape.reduce(1, *),
            "an array of shape \(shape) holds \(shape.reduce(1, *)) values, not \(values.count)")
        self.shape = shape
        self.values = values
    }
}

/// What an attribute holds: a unit, a count, axis names.
public enum HDF5Attribute: Equatable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral
{
    case string(String)
    case int(Int)
    case number(Double)
    case strings([String])

    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(arrayLiteral elements: String...) { self = .strings(elements) }

    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    public var intValue: Int? { if case .int(let value) = self { value } else { nil } }
    public var stringsValue: [String]? { if case .strings(let value) = self { value } else { nil } }
}
