internal import CHDF5
import Files
import Foundation

extension HDF5File {
    /// Writes a new dataset.
    ///
    /// - Parameters:
    ///   - shape: row-major; its product is the number of values. Empty for a scalar.
    ///   - compressed: chunked along the first axis and deflated. Worth it for tokens and images, not for weights.
    public func write<Element: HDF5Element>(
        _ values: [Element], to path: String, shape: [Int], compressed: Bool = false,
        attributes: [String: HDF5Attribute] = [:]
    ) throws {
        try values.withUnsafeBufferPointer {
            try write($0, to: path, shape: shape, compressed: compressed, attributes: attributes)
        }
    }

    /// The same from memory that the caller owns.
    public func write<Element: HDF5Element>(
        _ values: UnsafeBufferPointer<Element>, to path: String, shape: [Int], compressed: Bool = false,
        attributes: [String: HDF5Attribute] = [:]
    ) throws {
        precondition(
            values.count == shape.reduce(1, *),
            "dataset '\(path)' of shape \(shape) holds \(shape.reduce(1, *)) values, not \(values.count)")
        let chunk = compressed && !shape.isEmpty ? Self.chunk(for: shape, elementSize: Element.hdf5Kind.byteCount) : nil
        let dataset = try createDataset(path, kind: Element.hdf5Kind, shape: shape, chunk: chunk, deflated: chunk != nil)
        if !values.isEmpty {
            try HDF5Library.call(name, "write dataset '\(path)'") {
                H5Dwrite(
                    dataset.value, Element.hdf5Kind.nativeType, h5_all(), h5_all(), h5_default(), values.baseAddress)
            }
        }
        for (key, value) in attributes.sorted(by: { $0.key < $1.key }) { try setAttribute(key, value, on: path) }
    }

    /// Makes a dataset whose rows are written later, laid out as `write` lays it out.
    public func makeDataset<Element: HDF5Element>(
        _ path: String, of type: Element.Type, shape: [Int], compressed: Bool = false, attributes: [String: HDF5Attribute] = [:]
    ) throws {
        let chunk = compressed && !shape.isEmpty ? Self.chunk(for: shape, elementSize: Element.hdf5Kind.byteCount) : nil
        _ = try createDataset(path, kind: Element.hdf5Kind, shape: shape, chunk: chunk, deflated: chunk != nil)
        for (key, value) in attributes.sorted(by: { $0.key < $1.key }) { try setAttribute(key, value, on: path) }
    }

    /// Writes rows (entries of the first axis) of a dataset that is there.
    public func write<Element: HDF5Element>(_ values: [Element], rows: Range<Int>, of path: String) throws {
        let dataset = try openDataset(path, as: Element.hdf5Kind)
        var shape = try shape(of: dataset, path)
        precondition(!shape.isEmpty && rows.upperBound <= shape[0], "rows \(rows) of dataset '\(path)' of shape \(shape)")
        shape[0] = rows.count
        precondition(values.count == shape.reduce(1, *), "\(values.count) values for \(rows.count) rows of '\(path)', \(shape)")
        if values.isEmpty { return }
        let selection = try select(rows: rows, of: dataset, path)
        try HDF5Library.call(name, "write rows of dataset '\(path)'") {
            let memory = H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, nil)
            defer { H5Sclose(memory) }
            return values.withUnsafeBufferPointer {
                H5Dwrite(dataset.value, Element.hdf5Kind.nativeType, memory, selection.value, h5_default(), $0.baseAddress)
            }
        }
    }

    /// Reads a whole dataset.
    ///
    /// Stored numbers are widened where that loses nothing (`UInt8` to `Int32`, `Float` to `Double`); anything else is
    /// an error rather than a silent conversion. So is a shape that is more than the file holds or than memory can take.
    public func read<Element: HDF5Element>(_ path: String, as type: Element.Type = Element.self) throws
        -> HDF5Array<Element>
    {
        let dataset = try openDataset(path, as: Element.hdf5Kind)
        let shape = try checkedShape(of: dataset, path)
        let values = try read(dataset, path, Element.self, count: shape.reduce(1, *), memory: h5_all(), file: h5_all())
        return HDF5Array(shape: shape, values: values)
    }

    /// Reads a whole dataset of a shape that is known; nil stands for any extent.
    public func read<Element: HDF5Element>(
        _ path: String, as type: Element.Type = Element.self, shape expected: [Int?]
    ) throws -> HDF5Array<Element> {
        let shape = try shape(of: path)
        guard shape.count == expected.count, zip(shape, expected).allSatisfy({ $1 == nil || $0 == $1 }) else {
            let wanted = expected.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
            throw InputError(file: name, isDamage: true, "dataset '\(path)' has shape \(shape); expected [\(wanted)]")
        }
        return try read(path)
    }

    /// Reads rows (entries of the first axis) of a dataset.
    public func read<Element: HDF5Element>(
        rows: Range<Int>, of path: String, as type: Element.Type = Element.self
    ) throws -> HDF5Array<Element> {
        let dataset = try openDataset(path, as: Element.hdf5Kind)
        var shape = try checkedShape(of: dataset, path)
        guard let count = shape.first, rows.lowerBound >= 0, rows.upperBound <= count else {
            throw InputError(file: name, isDamage: true, "dataset '\(path)' has shape \(shape); rows \(rows) are not in it")
        }
        shape[0] = rows.count
        let selection = try select(rows: rows, of: dataset, path)
        let memory = HDF5Identifier(
            try HDF5Library.call(name, "read dataset '\(path)'") {
                H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, nil)
            }, closedBy: H5Sclose)
        let values = try read(
            dataset, path, Element.self, count: shape.reduce(1, *), memory: memory.value, file: selection.value)
        return HDF5Array(shape: shape, values: values)
    }

    /// The shape of a dataset, which is no more than the file holds.
    public func shape(of path: String) throws -> [Int] {
        try checkedShape(of: HDF5Identifier(openDataset(path), closedBy: H5Dclose), path)
    }

    // MARK: Parts

    func createDataset(_ path: String, kind: HDF5Kind, shape: [Int], chunk: [Int]?, deflated: Bool, extendible: Bool = false)
        throws -> HDF5Identifier
    {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex { try makeGroup(String(path[..<slash])) }
        let identifier = try HDF5Library.call(name, "make dataset '\(path)'") { () -> hid_t in
            var limits = shape.map { hsize_t($0) }
            if extendible { limits[0] = h5_unlimited() }
            let space =
                shape.isEmpty
                ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, limits)
            let creation = h5_new_property_list_for_dataset_creation()
            defer { H5Sclose(space); H5Pclose(creation) }
            H5Pset_obj_track_times(creation, false)
            if let chunk { H5Pset_chunk(creation, Int32(chunk.count), chunk.map { hsize_t($0) }) }
            if deflated, H5Pset_deflate(creation, 4) < 0 { return -1 }
            return H5Dcreate2(handle.value, path, kind.nativeType, space, h5_default(), creation, h5_default())
        }
        return HDF5Identifier(identifier, closedBy: H5Dclose)
    }

    private func openDataset(_ path: String) throws -> hid_t {
        guard try exists(path) else {
            let known = try datasets()
            let hint = nearest(to: path, among: known).map { "; did you mean '\($0)'?" } ?? "; it has \(known)"
            throw InputError(file: name, isDamage: true, "has no dataset '\(path)'\(hint)")
        }
        return try HDF5Library.call(name, "open dataset '\(path)'") { H5Dopen2(handle.value, path, reading.value) }
    }

    func openDataset(_ path: String, as wanted: HDF5Kind) throws -> HDF5Identifier {
        let dataset = HDF5Identifier(try openDataset(path), closedBy: H5Dclose)
        let stored = try storedType(of: dataset, path)
        guard wanted.holds(stored) else {
            throw InputError(file: name, isDamage: true, "dataset '\(path)' holds \(stored), not \(wanted.rawValue)")
        }
        return dataset
    }

    private func storedType(of dataset: HDF5Identifier, _ path: String) throws -> StoredType {
        var stored = StoredType.other("nothing")
        try HDF5Library.call(name, "read the type of dataset '\(path)'") { () -> Int in
            let type = H5Dget_type(dataset.value)
            guard type >= 0 else { return -1 }
            defer { H5Tclose(type) }
            stored = StoredType(type)
            return 0
        }
        return stored
    }

    func shape(of dataset: HDF5Identifier, _ path: String) throws -> [Int] {
        var (extents, isNull) = ([hsize_t](), false)
        try HDF5Library.call(name, "read the shape of dataset '\(path)'") { () -> Int in
            let space = H5Dget_space(dataset.value)
            guard space >= 0 else { return -1 }
            defer { H5Sclose(space) }
            isNull = H5Sget_simple_extent_type(space) == H5S_NULL
            let rank = Int(H5Sget_simple_extent_ndims(space))
            guard rank >= 0 else { return -1 }
            extents = [hsize_t](repeating: 0, count: rank)
            return H5Sget_simple_extent_dims(space, &extents, nil) >= 0 ? 0 : -1
        }
        if isNull { throw InputError(file: name, "dataset '\(path)' holds nothing, not even a shape") }
        let shape = extents.compactMap { Int(exactly: $0) }
        // Without the empty axes, so that a part of the axes can be multiplied as well.
        guard shape.count == extents.count, product(shape.map { max($0, 1) }) != nil else {
            throw InputError(file: name, isDamage: true, "dataset '\(path)' has shape \(extents), which is more than any file can hold")
        }
        return shape
    }

    func select(rows: Range<Int>, of dataset: HDF5Identifier, _ path: String) throws -> HDF5Identifier {
        let shape = try shape(of: dataset, path)
        let space = try HDF5Library.call(name, "select rows of dataset '\(path)'") { () -> hid_t in
            let space = H5Dget_space(dataset.value)
            guard space >= 0 else { return -1 }
            var start = shape.map { _ in hsize_t(0) }
            var count = shape.map { hsize_t($0) }
            start[0] = hsize_t(rows.lowerBound)
            count[0] = hsize_t(rows.count)
            guard H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nil, count, nil) >= 0 else {
                H5Sclose(space)
                return -1
            }
            return space
        }
        return HDF5Identifier(space, closedBy: H5Sclose)
    }

    private func read<Element: HDF5Element>(
        _ dataset: HDF5Identifier, _ path: String, _ type: Element.Type, count: Int, memory: hid_t, file: hid_t
    ) throws -> [Element] {
        if count == 0 { return [] }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: Element.hdf5Kind.byteCount)
        try MemoryClaim.require(overflow ? .max : bytes, file: name, "dataset '\(path)'")
        var values = [Element](repeating: .zero, count: count)
        try values.withUnsafeMutableBufferPointer { buffer in
            _ = try HDF5Library.call(name, "read dataset '\(path)'") {
                H5Dread(dataset.value, Element.hdf5Kind.nativeType, memory, file, h5_default(), buffer.baseAddress)
            }
        }
        return values
    }

    /// Chunks of whole rows of about 256 KiB: small enough to read a few images, large enough to compress.
    private static func chunk(for shape: [Int], elementSize: Int) -> [Int] {
        let row = shape.dropFirst().map { max(1, $0) }
        let rowBytes = row.reduce(elementSize, *)
        return [max(1, min(shape[0], 262_144 / rowBytes))] + row
    }
}
