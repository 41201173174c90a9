internal import CHDF5
import Files
import Foundation

extension HDF5File {
    /// Deflate makes 1032 bytes of one at most.
    private static let mostUnfolded = 1032
    /// What a dataset may claim though nothing is stored: values never written are read as zeros.
    private static let unwritten = 1 << 24
    private static let knownFilters = [32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd"]

    /// The shape of a dataset, after a look at what its values take and at what is stored of them. Small files can claim
    /// any shape, and the library would ask for the memory.
    func checkedShape(of dataset: HDF5Identifier, _ path: String) throws -> [Int] {
        let isKnown = sound.withLock { $0.contains(path) }
        if !isKnown { try checkLayout(of: dataset, path) }
        let shape = try shape(of: dataset, path)
        if !isKnown {
            try checkSize(of: dataset, path, shape)
            sound.withLock { _ = $0.insert(path) }
        }
        return shape
    }

    /// Values must be in this file, and packed in a way that can be undone.
    private func checkLayout(of dataset: HDF5Identifier, _ path: String) throws {
        var (isElsewhere, missing) = (false, [(id: Int, name: String)]())
        try HDF5Library.call(name, "read the layout of dataset '\(path)'") { () -> Int in
            let creation = H5Dget_create_plist(dataset.value)
            guard creation >= 0 else { return -1 }
            defer { H5Pclose(creation) }
            isElsewhere = H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) > 0
            for number in 0..<max(0, H5Pget_nfilters(creation)) {
                var (flags, count, name) = (UInt32(0), 0, [CChar](repeating: 0, count: 64))
                let filter = H5Pget_filter2(creation, UInt32(number), &flags, &count, nil, name.count, &name, nil)
                guard filter >= 0 else { return -1 }
                if H5Zfilter_avail(filter) <= 0 {
                    missing.append((Int(filter), String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)))
                }
            }
            return 0
        }
        if isElsewhere {
            throw InputError(file: name, isDamage: true, "dataset '\(path)' keeps its values in other files; expected them in this one")
        }
        guard let filter = missing.first else { return }
        let known = Self.knownFilters[filter.id] ?? (filter.name.isEmpty ? "unknown" : filter.name)
        throw InputError(
            file: name,
            "dataset '\(path)' is compressed by '\(known)' (filter \(filter.id)), which this HDF5 library cannot undo: write it "
                + "with gzip (in h5py compression='gzip'), or install the filter as a plugin of HDF5"
                + (filter.id == 32000 ? " (on Debian hdf5-plugin-lzf)" : ""))
    }

    private func checkSize(of dataset: HDF5Identifier, _ path: String, _ shape: [Int]) throws {
        var (stored, file, valueBytes, chunk) = (hsize_t(0), hsize_t(0), 0, [hsize_t]())
        try HDF5Library.call(name, "read the size of dataset '\(path)'") { () -> Int in
            stored = H5Dget_storage_size(dataset.value)
            let (type, creation) = (H5Dget_type(dataset.value), H5Dget_create_plist(dataset.value))
            guard H5Fget_filesize(handle.value, &file) >= 0, type >= 0, creation >= 0 else { return -1 }
            defer { H5Tclose(type); H5Pclose(creation) }
            valueBytes = H5Tget_size(type)
            guard H5Pget_layout(creation) == H5D_CHUNKED else { return 0 }
            chunk = [hsize_t](repeating: 0, count: Int(H5S_MAX_RANK))
            let rank = H5Pget_chunk(creation, Int32(chunk.count), &chunk)
            guard rank >= 0 else { return -1 }
            chunk.removeLast(chunk.count - Int(rank))
            return 0
        }
        let found = min(Int(clamping: stored), Int(clamping: file))
        // Files are far smaller than what overflows here.
        let most = min(found, Int.max >> 12) * (chunk.isEmpty ? 1 : Self.mostUnfolded) + Self.unwritten
        // A chunk is decompressed as a whole, however little of it is in the dataset.
        for (what, extents) in [("has shape", shape), ("has chunks of", chunk.map { Int(clamping: $0) })] {
            guard let bytes = product(extents + [valueBytes]), bytes <= most else {
                throw InputError(
                    file: name, isDamage: true,
                    "dataset '\(path)' \(what) \(extents), more than the \(found) bytes that are stored of it can hold")
            }
        }
    }
}

/// The product of sizes, or nil where it is more than `Int` holds.
func product(_ extents: [Int]) -> Int? {
    var product = 1
    for extent in extents {
        let (next, overflow) = product.multipliedReportingOverflow(by: extent)
        if overflow { return nil }
        product = next
    }
    return product
}
