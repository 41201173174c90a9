/// What a program's numbers are.
public enum Element: String, Sendable, CaseIterable {
    case f32, bf16, i32, ui32, ui64, ui8, i1

    public var isFloat: Bool { self == .f32 || self == .bf16 }
    public var isUnsigned: Bool { self == .ui32 || self == .ui64 || self == .ui8 }
}

/// The type of a value: its elements and its shape.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
    public let shape: [Int]
    public let element: Element

    public init(_ shape: [Int], _ element: Element) {
        self.shape = shape
        self.element = element
    }

    public var rank: Int { shape.count }
    public var count: Int { shape.reduce(1, *) }

    /// As the text has it: `tensor<4x8xf32>`.
    public var description: String { "tensor<\(shape.map { "\($0)x" }.joined())\(element.rawValue)>" }

    func with(_ shape: [Int]) -> TensorType { TensorType(shape, element) }
    func with(_ element: Element) -> TensorType { TensorType(shape, element) }
}

/// A value of a program: the result of an instruction, or an argument.
public struct Value: Hashable, Sendable {
    public let name: String
    public let type: TensorType

    public var shape: [Int] { type.shape }
    public var element: Element { type.element }
}

/// Ends the program where an instruction's operands do not fit: a mistake of the one who writes programs, not of a user.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}
