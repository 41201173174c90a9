import Archives
import Files
import Foundation

/// The files in a zip file, told apart by the bytes of their paths. Of two members of one path the later one counts.
struct ZipFiles: PictureFiles {
    private let archive: ZipMembers
    /// Paths of all members, with '/' between the parts, and behind a folder.
    private let paths: PackedTexts
    /// Members in order of their paths.
    private let order: [Int]
    let place: String

    init(_ url: URL) throws {
        archive = try ZipMembers(reading: url)
        place = url.path
        var paths = PackedTexts()
        try archive.forEach { name, _, _ in
            let parts = Self.parts(name)
            guard !parts.contains("..") else { throw InputError(file: url.path, "member '\(name)' leads out of the zip file") }
            let isFolder = name.hasSuffix("/") || name.hasSuffix("\\")
            paths.append(parts.joined(separator: "/") + (isFolder ? "/" : ""))
        }
        self.paths = paths
        order = paths.order()
    }

    /// `./` before a name says nothing; some programs for Windows write '\' for '/'.
    private static func parts(_ name: String) -> [Substring] {
        let separator: Character = name.utf8.contains(UInt8(ascii: "/")) ? "/" : "\\"
        return name.utf8.split(separator: separator.asciiValue ?? 0).map { Substring($0) }.filter { $0 != "." }
    }

    func entries(in folder: String) -> [PictureEntry] {
        let path = folder.isEmpty ? [] : Array(folder.utf8) + [Self.slash]
        var kinds: [ExactName: PictureEntry.Kind] = [:]
        // Nothing but '0' comes after '/'.
        var (next, end) = folder.isEmpty ? (0, order.count) : (first(from: path), first(from: path.dropLast() + [Self.slash + 1]))
        while next < end {
            let rest = paths.utf8(order[next]).dropFirst(path.count)
            let name = rest.prefix { $0 != Self.slash }
            let isFolder = name.endIndex < rest.endIndex
            if !name.isEmpty, isFolder || kinds[ExactName(name)] == nil { kinds[ExactName(name)] = isFolder ? .folder : .file }
            next = isFolder && !name.isEmpty ? first(from: path + name + [Self.slash + 1]) : next + 1
        }
        return kinds.map { PictureEntry(name: $0.text, kind: $1) }.filter { !PictureEntry.isHidden($0.name) }
            .sorted { ExactName($0.name) < ExactName($1.name) }
    }

    func content(of path: String) throws -> Data {
        Data(try archive.content(at: member(path), name: path, atMost: Self.mostBytes))
    }

    func stamp(of path: String) throws -> String { try archive.checksum(at: member(path), name: path) }

    private static let slash = UInt8(ascii: "/")

    /// The place of the first member in order whose path is not before these bytes.
    private func first(from bytes: [UInt8]) -> Int {
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if PackedTexts.precedes(paths.utf8(order[middle]), bytes[...]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func member(_ path: String) throws -> UInt64 {
        let bytes = Array(path.utf8)
        let found = order[first(from: bytes)...].prefix { paths.utf8($0).elementsEqual(bytes) }
        guard let last = found.last else { throw InputError(file: place, "has no member '\(path)'") }
        return UInt64(last)
    }
}

extension ExactName {
    fileprivate init(_ utf8: ArraySlice<UInt8>) { self.init(String(decoding: utf8, as: UTF8.self)) }
}
