internal import CHDF5
import Files
import Foundation

extension HDF5File {
    /// Sets an attribute on a dataset or group (`/` is the file itself), replacing an earlier one.
    public func setAttribute(_ key: String, _ value: HDF5Attribute, on path: String = "/") throws {
        try HDF5Library.call(name, "set attribute '\(key)' of '\(path)'") { () -> herr_t in
            if H5Aexists_by_name(handle.value, path, key, h5_default()) > 0,
                H5Adelete_by_name(handle.value, path, key, h5_default()) < 0
            {
                return -1
            }
            switch value {
            case .int(let number):
                return write(Int64(number), as: .int64, key, path)
            case .number(let number):
                return write(number, as: .float64, key, path)
            case .string(let text):
                return write(strings: [text], space: H5Screate(H5S_SCALAR), key, path)
            case .strings(let texts):
                return write(strings: texts, space: H5Screate_simple(1, [hsize_t(texts.count)], nil), key, path)
            }
        }
    }

    /// The attribute, or nil where there is none.
    public func attribute(_ key: String, of path: String = "/") throws -> HDF5Attribute? {
        var value: HDF5Attribute?
        var odd: String?
        try HDF5Library.call(name, "read attribute '\(key)' of '\(path)'") { () -> Int in
            let exists = H5Aexists_by_name(handle.value, path, key, reading.value)
            guard exists > 0 else { return Int(exists) }
            let attribute = H5Aopen_by_name(handle.value, path, key, h5_default(), reading.value)
            guard attribute >= 0 else { return -1 }
            let type = H5Aget_type(attribute)
            let space = H5Aget_space(attribute)
            defer { H5Aclose(attribute); H5Tclose(type); H5Sclose(space) }
            var size: hsize_t = 0
            guard H5Fget_filesize(handle.value, &size) >= 0 else { return -1 }
            let count = H5Sget_simple_extent_npoints(space)
            switch H5Tget_class(type) {
            case H5T_INTEGER where count == 1:
                var number: Int64 = 0
                guard H5Aread(attribute, h5_native_int64(), &number) >= 0 else { return -1 }
                value = .int(Int(number))
            case H5T_FLOAT where count == 1:
                var number = 0.0
                guard H5Aread(attribute, h5_native_double(), &number) >= 0 else { return -1 }
                value = .number(number)
            // The values of an attribute lie in the file as they are.
            case H5T_STRING where count >= 0 && hsize_t(count) * hsize_t(min(H5Tget_size(type), 1 << 32)) <= size:
                let texts =
                    H5Tis_variable_str(type) > 0
                    ? readStrings(attribute, type, space, Int(count)) : readFixedStrings(attribute, type, Int(count))
                guard let texts else { return -1 }
                value = H5Sget_simple_extent_type(space) == H5S_SCALAR ? texts.first.map { .string($0) } : .strings(texts)
            default:
                odd = "\(count) values: \(StoredType(type))"
            }
            return 0
        }
        if let odd {
            throw InputError(file: name, isDamage: true, "attribute '\(key)' of '\(path)' holds \(odd); expected text or one number")
        }
        return value
    }

    // The helpers below run inside `HDF5Library.call` and report failure the C way.

    private func write<Number>(_ number: Number, as kind: HDF5Kind, _ key: String, _ path: String) -> herr_t {
        let space = H5Screate(H5S_SCALAR)
        defer { H5Sclose(space) }
        let attribute = H5Acreate_by_name(
            handle.value, path, key, kind.nativeType, space, h5_default(), h5_default(), h5_default())
        guard attribute >= 0 else { return -1 }
        defer { H5Aclose(attribute) }
        return withUnsafePointer(to: number) { H5Awrite(attribute, kind.nativeType, $0) }
    }

    private func write(strings: [String], space: hid_t, _ key: String, _ path: String) -> herr_t {
        let type = h5_new_string_type()
        defer { H5Tclose(type); H5Sclose(space) }
        let attribute = H5Acreate_by_name(
            handle.value, path, key, type, space, h5_default(), h5_default(), h5_default())
        guard attribute >= 0 else { return -1 }
        defer { H5Aclose(attribute) }
        if strings.isEmpty { return 0 }
        let copies = strings.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        return copies.withUnsafeBytes { H5Awrite(attribute, type, $0.baseAddress) }
    }

    /// Texts of one length each, as numpy's `S` type has them: shorter ones are filled up with zeros or blanks.
    private func readFixedStrings(_ attribute: hid_t, _ type: hid_t, _ count: Int) -> [String]? {
        let size = H5Tget_size(type)
        var bytes = [UInt8](repeating: 0, count: count * size)
        guard count == 0 || H5Aread(attribute, type, &bytes) >= 0 else { return nil }
        return (0..<count).map { number in
            var text = bytes[number * size..<(number + 1) * size].prefix { $0 != 0 }
            if H5Tget_strpad(type) == H5T_STR_SPACEPAD { while text.last == UInt8(ascii: " ") { text.removeLast() } }
            return String(decoding: text, as: UTF8.self)
        }
    }

    private func readStrings(_ attribute: hid_t, _ type: hid_t, _ space: hid_t, _ count: Int) -> [String]? {
        if count == 0 { return [] }
        var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
        let status = pointers.withUnsafeMutableBytes { H5Aread(attribute, type, $0.baseAddress) }
        guard status >= 0 else { return nil }
        let texts = pointers.map { $0.map { String(cString: $0) } ?? "" }
        _ = pointers.withUnsafeMutableBytes { H5Dvlen_reclaim(type, space, h5_default(), $0.baseAddress) }
        return texts
    }
}
