extension Function {
    /// One number everywhere.
    public func constant(_ value: Double, _ shape: [Int], _ element: Element) -> Value {
        let type = TensorType(shape, element)
        return emit("constant dense<\(literal(value, element))> : \(type)", type)
    }

    /// One number in the shape and type of another value.
    public func constant(_ value: Double, like other: Value) -> Value { constant(value, other.shape, other.element) }

    /// A 64-bit number, all of whose bits count, everywhere.
    public func constant(bits: UInt64, _ shape: [Int]) -> Value {
        let type = TensorType(shape, .ui64)
        return emit("constant dense<\(bits)> : \(type)", type)
    }

    /// Given numbers, row-major.
    public func constant(_ values: [Float], _ shape: [Int]) -> Value {
        let bytes = values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
        return constant(bytes: bytes, count: values.count, TensorType(shape, .f32))
    }

    /// Given whole numbers, row-major.
    public func constant(_ values: [Int32], _ shape: [Int]) -> Value {
        let bytes = values.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
        return constant(bytes: bytes, count: values.count, TensorType(shape, .i32))
    }

    /// 0, 1, 2, … along one axis.
    public func iota(_ shape: [Int], _ element: Element, axis: Int) -> Value {
        let type = TensorType(shape, element)
        require(shape.indices.contains(axis), "iota along axis \(axis) of \(type)")
        return emit("iota dim = \(axis) : \(type)", type)
    }

    /// As hexadecimal digits, which are exact and short to parse.
    private func constant(bytes: [UInt8], count: Int, _ type: TensorType) -> Value {
        require(count == type.count, "\(count) numbers for \(type)")
        if count == 0 { return emit("constant dense<> : \(type)", type) }
        let digits = Array("0123456789ABCDEF".utf8)
        let text = String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        return emit("constant dense<\"0x\(text)\"> : \(type)", type)
    }

    private func literal(_ value: Double, _ element: Element) -> String {
        switch element {
        case .i1: return value == 0 ? "false" : "true"
        case .i32, .ui8, .ui32, .ui64:
            require(value == value.rounded() && abs(value) < 0x1p63, "\(value) is no \(element)")
            return "\(Int(value))"
        case .f32, .bf16:
            if !value.isFinite {
                // Bits of an infinity or of no number, in the width of the type.
                let bits = Float(value).bitPattern
                return "0x" + String(element == .bf16 ? bits >> 16 : bits, radix: 16, uppercase: true)
            }
            let text = "\(value)"
            // A mantissa needs its point: 1.0e-24.
            guard let e = text.firstIndex(of: "e"), !text.contains(".") else { return text }
            return text[..<e] + ".0" + text[e...]
        }
    }
}
