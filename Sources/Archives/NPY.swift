import Files
import Foundation

/// numpy's format of one array, versions 1 and 2: a mark, a header in Python's notation, the values.
enum NPY {
    private static let mark: [UInt8] = [0x93] + Array("NUMPY".utf8)

    /// What the header says of an array.
    struct Header {
        let shape: [Int]
        /// Whether the first index runs fastest.
        let isColumnMajor: Bool
        /// numpy's type text with the byte order, such as `<f4`.
        let type: String
        /// Bytes of a value.
        let valueBytes: Int
        /// Bytes before the values.
        let length: Int

        /// - Parameter read: gives the next bytes, fewer only where there are no more.
        /// - Throws: `InputError` naming `file` and `member`, and what was expected.
        init(file: String, member: String, _ read: (Int) throws -> [UInt8]) throws {
            func mistake(_ what: String) -> InputError { InputError(file: file, "member '\(member)' \(what)") }
            let start = try read(8)
            guard start.count == 8, Array(start[..<6]) == NPY.mark else {
                throw mistake("is not an array of numpy's: it does not begin with its mark")
            }
            let version = start[6]
            guard version == 1 || version == 2 else {
                throw mistake("is in version \(version).\(start[7]) of the NPY format; expected 1 or 2")
            }
            let lengthBytes = version == 1 ? 2 : 4
            let count = try read(lengthBytes)
            guard count.count == lengthBytes else { throw mistake("breaks off in its header") }
            let wanted = count.reversed().reduce(0) { $0 << 8 | Int($1) }
            guard wanted <= NPY.longestHeader else {
                throw mistake("has a header of \(wanted) bytes; expected at most \(NPY.longestHeader)")
            }
            let bytes = try read(wanted)
            guard bytes.count == wanted else { throw mistake("breaks off in its header") }
            let header = String(decoding: bytes, as: UTF8.self)

            guard let order = NPY.value(of: "fortran_order", in: header), let shapeText = NPY.value(of: "shape", in: header),
                let typeText = NPY.value(of: "descr", in: header)
            else { throw mistake("has a header without 'descr', 'fortran_order' and 'shape': \(header)") }
            guard let shape = NPY.shape(shapeText) else { throw mistake("has a shape that cannot be read: \(header)") }
            guard NPY.product(shape.map { max($0, 1) }) != nil else { throw mistake("has shape \(shape), which is more than fits a file") }
            type = String(typeText.dropFirst().prefix { $0 != "'" && $0 != "\"" })
            guard let size = NPY.types[type.dropFirst()], "<>|=".contains(type.prefix(1)) else {
                let found = typeText.hasPrefix("[") ? "a structured type" : "values of type '\(type)'"
                throw mistake("holds \(found); expected integers (i1, i2, i4, i8, u1, u2, u4) or floats (f2, f4, f8)")
            }
            isColumnMajor = order.hasPrefix("True") && shape.count { $0 > 1 } > 1
            (self.shape, valueBytes, length) = (shape, size, 8 + lengthBytes + wanted)
        }

        /// The values in `bytes`, row-major and as many as `shape` says, in the narrowest kind that holds their type.
        func array(_ bytes: [UInt8], shape: [Int]) -> NumpyArray {
            var bytes = bytes
            if type.hasPrefix(">"), valueBytes > 1 {
                for start in stride(from: 0, to: bytes.count, by: valueBytes) {
                    bytes[start..<start + valueBytes].reverse()
                }
            }
            func numbers<Element: BitwiseCopyable>(_: Element.Type) -> [Element] {
                let count = bytes.count / MemoryLayout<Element>.size
                return [Element](unsafeUninitializedCapacity: count) { buffer, filled in
                    bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
                    filled = count
                }
            }
            let values: NumpyArray.Values =
                switch type.dropFirst() {
                case "i1": .int32(numbers(Int8.self).map(Int32.init))
                case "i2": .int32(numbers(Int16.self).map(Int32.init))
                case "u2": .int32(numbers(UInt16.self).map(Int32.init))
                case "i4": .int32(numbers(Int32.self))
                case "u4": .int64(numbers(UInt32.self).map(Int64.init))
                case "i8": .int64(numbers(Int64.self))
                case "f2": .float32(numbers(Float16.self).map(Float.init))
                case "f4": .float32(numbers(Float.self))
                case "f8": .float64(numbers(Double.self))
                default: .uint8(bytes)
                }
            return NumpyArray(shape: shape, values)
        }

        /// All values of a column-major array, as they lie in the file, in row-major order.
        func rowMajor(_ bytes: [UInt8]) -> [UInt8] {
            var strides = [Int](repeating: valueBytes, count: shape.count)
            for axis in shape.indices.dropFirst() { strides[axis] = strides[axis - 1] * shape[axis - 1] }
            var (index, place) = ([Int](repeating: 0, count: shape.count), 0)
            return [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
                for start in stride(from: 0, to: bytes.count, by: valueBytes) {
                    for byte in 0..<valueBytes { target[start + byte] = bytes[place + byte] }
                    // The next place in row-major order: the last axis runs fastest.
                    for axis in shape.indices.reversed() {
                        (index[axis], place) = (index[axis] + 1, place + strides[axis])
                        if index[axis] < shape[axis] { break }
                        (index[axis], place) = (0, place - shape[axis] * strides[axis])
                    }
                }
                count = bytes.count
            }
        }
    }

    /// More than any array of plain numbers needs.
    private static let longestHeader = 1 << 16

    /// Types that are read, without the byte order, and the bytes of a value.
    private static let types: [Substring: Int] = [
        "i1": 1, "u1": 1, "i2": 2, "u2": 2, "f2": 2, "i4": 4, "u4": 4, "f4": 4, "i8": 8, "f8": 8,
    ]

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

    static func product(_ shape: [Int]) -> Int? {
        var product = 1
        for extent in shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: extent)
            if overflow { return nil }
            product = next
        }
        return product
    }
}
