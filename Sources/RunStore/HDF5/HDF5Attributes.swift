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
        try HDF5Library.call(name, "read attribute '\(key)' of '\(path)'") { () -> Int in
            let exists = H5Aexists_by_name(handle.value, path, key, h5_default())
            guard exists > 0 else { return Int(exists) }
            let attribute = H5Aopen_by_name(handle.value, path, key, h5_default(), h5_default())
            guard attribute >= 0 else { return -1 }
            let type = H5Aget_type(attribute)
            let space = H5Aget_space(attribute)
            defer { H5Aclose(attribute); H5Tclose(type); H5Sclose(space) }
            switch H5Tget_class(type) {
            case H5T_INTEGER:
                var number: Int64 = 0
                guard H5Sget_simple_extent_npoints(space) == 1, H5Aread(attribute, h5_native_int64(), &number) >= 0 else {
                    return -1
                }
                value = .int(Int(number))
            case H5T_FLOAT:
                var number = 0.0
                guard H5Sget_simple_extent_npoints(space) == 1, H5Aread(attribute, h5_native_double(), &number) >= 0 else {
                    return -1
                }
                value = .number(number)
            case H5T_STRING where H5Tis_variable_str(type) > 0:
                let isScalar = H5Sget_simple_extent_type(space) == H5S_SCALAR
                guard let texts = readStrings(attribute, space) else { return -1 }
                value = isScalar ? texts.first.map { .string($0) } : .strings(texts)
            default:
                return 0
            }
            return 0
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

    private func readStrings(_ attribute: hid_t, _ space: hid_t) -> [String]? {
        let type = h5_new_string_type()
        defer { H5Tclose(type) }
        let count = Int(H5Sget_simple_extent_npoints(space))
        if count == 0 { return [] }
        var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
        let status = pointers.withUnsafeMutableBytes { H5Aread(attribute, type, $0.baseAddress) }
        guard status >= 0 else { return nil }
        let texts = pointers.map { $0.map { String(cString: $0) } ?? "" }
        _ = pointers.withUnsafeMutableBytes { H5Dvlen_reclaim(type, space, h5_default(), $0.baseAddress) }
        return texts
    }
}
