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
    func holds(_ stored: StoredType) -> Bool {
        switch (stored, self) {
        case (.float(let bytes), .float32), (.float(let bytes), .float64): bytes <= byteCount
        case (.integer(let bytes, let isSigned), .int32), (.integer(let bytes, let isSigned), .int64):
            isSigned ? bytes <= byteCount : bytes < byteCount
        case (.integer(1, isSigned: false), .uint8): true
        default: false
        }
    }
}

/// What the values of a dataset are, in this file or anyone's.
enum StoredType: CustomStringConvertible {
    case float(bytes: Int)
    case integer(bytes: Int, isSigned: Bool)
    /// Something else, by a name that people know.
    case other(String)

    /// Call only while HDF5 is entered through `HDF5Library`.
    init(_ type: hid_t) {
        let bytes = H5Tget_size(type)
        self =
            switch H5Tget_class(type) {
            case H5T_FLOAT: .float(bytes: bytes)
            case H5T_INTEGER: .integer(bytes: bytes, isSigned: H5Tget_sign(type) == H5T_SGN_2)
            case H5T_STRING: .other("text")
            case H5T_ENUM: .other("booleans or another enumeration")
            case H5T_COMPOUND: .other("a compound type")
            case H5T_VLEN, H5T_ARRAY: .other("arrays")
            default: .other("values that are no numbers")
            }
    }

    var description: String {
        switch self {
        case .float(let bytes): "float\(8 * bytes)"
        case .integer(let bytes, let isSigned): "\(isSigned ? "" : "u")int\(8 * bytes)"
        case .other(let name): name
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
