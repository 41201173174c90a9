import Files
import Foundation

/// numpy's format of one array, versions 1 and 2: a mark, a header in Python's notation, the values.
enum NPY {
    private static let mark: [UInt8] = [0x93] + Array("NUMPY".utf8)

    /// The array in `bytes`.
    /// - Throws: `InputError` naming `file` and `member`, and what was expected.
    static func parse(_ bytes: [UInt8], file: String, member: String) throws -> NumpyArray {
        func mistake(_ what: String) -> InputError { InputError(file: file, "member '\(member)' \(what)") }
        guard bytes.count >= 10, Array(bytes[..<6]) == mark else {
            throw mistake("is not an array of numpy's: it does not begin with its mark")
        }
        let version = bytes[6]
        guard version == 1 || version == 2 else {
            throw mistake("is in version \(version).\(bytes[7]) of the NPY format; expected 1 or 2")
        }
        let lengthBytes = version == 1 ? 2 : 4
        guard bytes.count >= 8 + lengthBytes else { throw mistake("breaks off in its header") }
        let start = 8 + lengthBytes + Data(bytes[8..<8 + lengthBytes]).number(at: 0, bytes: lengthBytes)
        guard start <= bytes.count else { throw mistake("breaks off in its header") }
        let header = String(decoding: bytes[(8 + lengthBytes)..<start], as: UTF8.self)

        guard let order = value(of: "fortran_order", in: header), let shapeText = value(of: "shape", in: header),
            let type = value(of: "descr", in: header)
        else { throw mistake("has a header without 'descr', 'fortran_order' and 'shape': \(header)") }
        guard order.hasPrefix("False") else {
            throw mistake("is in column-major order; expected row-major (numpy.ascontiguousarray makes it so)")
        }
        guard let shape = shape(shapeText) else { throw mistake("has a shape that cannot be read: \(header)") }
        guard let count = product(shape) else { throw mistake("has shape \(shape), which is more than fits a file") }
        let body = bytes[start...]

        func numbers<Element: NumpyElement>(_: Element.Type) throws -> [Element] {
            let size = MemoryLayout<Element>.size
            let (needed, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, body.count == needed else {
                throw mistake("has \(body.count) bytes of values; its shape \(shape) needs \(count) of \(size) bytes")
            }
            return body.withUnsafeBytes { raw in
                [Element](unsafeUninitializedCapacity: count) { buffer, filled in
                    UnsafeMutableRawBufferPointer(buffer).copyMemory(from: raw)
                    filled = count
                }
            }
        }
        let name = String(type.dropFirst().prefix { $0 != "'" && $0 != "\"" })
        switch name {
        case "|u1", "<u1": return NumpyArray(shape: shape, .uint8(try numbers(UInt8.self)))
        case "<i4": return NumpyArray(shape: shape, .int32(try numbers(Int32.self)))
        case "<i8": return NumpyArray(shape: shape, .int64(try numbers(Int64.self)))
        case "<f4": return NumpyArray(shape: shape, .float32(try numbers(Float.self)))
        case "<f8": return NumpyArray(shape: shape, .float64(try numbers(Double.self)))
        default:
            let found = type.hasPrefix("[") ? "a structured type" : "numbers of type '\(name)'"
            throw mistake("holds \(found); expected |u1, <i4, <i8, <f4 or <f8")
        }
    }

    /// The header of an array in version 1, padded so that the values begin at a multiple of 64 bytes.
    static func header(of array: NumpyArray) -> Data {
        let type =
            switch array.values {
            case .uint8: "|" + UInt8.numpyType
            case .int32: "<" + Int32.numpyType
            case .int64: "<" + Int64.numpyType
            case .float32: "<" + Float.numpyType
            case .float64: "<" + Double.numpyType
            }
        let shape = "(" + array.shape.map { "\($0)," }.joined(separator: " ") + ")"
        var text = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }"
        text += String(repeating: " ", count: 63 - (10 + text.utf8.count) % 64) + "\n"
        let length = text.utf8.count
        return Data(mark + [1, 0, UInt8(length & 255), UInt8(length >> 8)]) + Data(text.utf8)
    }

    /// The values of an array as the bytes of a file.
    static func body(of array: NumpyArray) -> Data {
        switch array.values {
        case .uint8(let values): values.withUnsafeBytes { Data($0) }
        case .int32(let values): values.withUnsafeBytes { Data($0) }
        case .int64(let values): values.withUnsafeBytes { Data($0) }
        case .float32(let values): values.withUnsafeBytes { Data($0) }
        case .float64(let values): values.withUnsafeBytes { Data($0) }
        }
    }

    /// What follows `'key':` in the header, from its first character on.
    private static func value(of key: String, in header: String) -> Substring? {
        for quote in ["'", "\""] {
            if let found = header.range(of: quote + key + quote) {
                let rest = header[found.upperBound...].drop { $0 == " " }
                if rest.first == ":" { return rest.dropFirst().drop { $0 == " " } }
            }
        }
        return nil
    }

    /// `(3, 4), …` as numbers.
    private static func shape(_ text: Substring) -> [Int]? {
        guard text.first == "(", let end = text.firstIndex(of: ")") else { return nil }
        let parts = text[text.index(after: text.startIndex)..<end].split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        let numbers = parts.compactMap { Int($0) }.filter { $0 >= 0 }
        return numbers.count == parts.count ? numbers : nil
    }

    private static func product(_ shape: [Int]) -> Int? {
        var product = 1
        for extent in shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: extent)
            if overflow { return nil }
            product = next
        }
        return product
    }
}
