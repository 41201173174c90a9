import Files
import Foundation

/// Named arrays in one file, as `numpy.savez` and `numpy.savez_compressed` write them: a zip of NPY members.
///
/// ```swift
/// let file = try Npz(reading: url)
/// let mean = try file.array("mu")
/// try Npz.write([(name: "mu", array: mean)], to: copy)
/// ```
public struct Npz: Sendable {
    private let archive: ZipArchive
    /// Names of the arrays, in the order of the file.
    public let names: [String]

    /// Opens a file; arrays are read when asked for.
    /// - Throws: `InputError` naming the file if it is not a whole zip file.
    public init(reading url: URL) throws {
        archive = try ZipArchive(reading: url)
        names = archive.names.filter { $0.hasSuffix(".npy") }.map { String($0.dropLast(4)) }
    }

    /// One array.
    /// - Throws: `InputError` naming file and member if it is not there, damaged or of a type that is no number.
    public func array(_ name: String) throws -> NumpyArray { try rows(name).rest() }

    /// One array, read some rows at a time. Throws as `array` does, in part only while reading.
    public func rows(_ name: String) throws -> NumpyRows {
        guard names.contains(name) else {
            let hint = nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? "; it has \(names)"
            throw InputError(file: archive.file, "has no array '\(name)'\(hint)")
        }
        return try NumpyRows(archive.reader(of: name + ".npy"), file: archive.file, member: name)
    }

    /// Writes a whole file of uncompressed arrays; what was there stays until the new one is complete.
    public static func write(_ arrays: [(name: String, array: NumpyArray)], to url: URL) throws {
        precondition(
            Set(arrays.map(\.name)).count == arrays.count, "arrays need different names: \(arrays.map(\.name))")
        try AtomicFile.replace(url) { aside in
            try ZipWriter.write(to: aside, called: url.path) { try add(arrays[...], to: $0) }
        }
    }

    /// Each array lends its memory until the file is finished.
    private static func add(_ arrays: ArraySlice<(name: String, array: NumpyArray)>, to zip: ZipWriter.ZipMembers) throws {
        guard let (name, array) = arrays.first else { return try zip.finish() }
        try NPY.header(of: array).withUnsafeBytes { header in
            try array.withUnsafeBytes { values in
                try zip.add(name + ".npy", parts: [header, values])
                try add(arrays.dropFirst(), to: zip)
            }
        }
    }
}
