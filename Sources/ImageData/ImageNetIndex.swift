import Files
import Foundation

/// The list of ImageNet's images: 1.3 million of them in some 60 MB, and as a file that is read in one go.
struct ImageNetIndex: Sendable {
    /// The images of one half, in order.
    struct Half: Sendable {
        let labels: [Int32]
        /// Places in the archive; 0 in a tree.
        let members: [UInt64]
        /// Bytes of the files.
        let sizes: [UInt32]
        /// Their names without folders, one after the other, and where each begins; the last is where all end.
        let names: Data
        let starts: [UInt32]
        let isTraining: Bool
        /// SHA-256 of the paths and sizes.
        let digest: String

        func name(_ place: Int) -> String { String(decoding: names[Int(starts[place])..<Int(starts[place + 1])], as: UTF8.self) }
    }

    let synsets, classNames: [String]
    let train, validation: Half
    private let stamp: String
    /// Before `ILSVRC` in an archive that has a folder around everything.
    private let prefix: String

    func path(_ place: Int, in half: Half) -> String {
        prefix
            + (half.isTraining
                ? "\(ImageNetLayout.train)\(synsets[Int(half.labels[place])])/\(half.name(place))"
                : "\(ImageNetLayout.validation)\(half.name(place))")
    }

    // MARK: Listing

    /// An image on its way into the list.
    private struct Found {
        let label: Int32
        let size: UInt32
        let member: UInt64
        let name: String
    }

    /// Takes a look at the directory, and at the competition's lists.
    init(listing files: any ImageNetFiles, stamp: String) throws {
        var prefix: String?
        var (train, validation): ([String: [Found]], [Found]) = ([:], [])
        var (lists, annotations): ([String: (path: String, member: UInt64)], [String: (path: String, member: UInt64)]) = ([:], [:])
        func found(_ name: Substring, _ size: Int, _ member: UInt64, _ path: String) throws -> Found {
            guard let size = UInt32(exactly: size) else {
                throw InputError(file: "\(files.place)/\(path)", "has \(size) bytes: no picture has")
            }
            return Found(label: 0, size: size, member: member, name: String(name))
        }
        try files.forEach { path, size, member in
            if let list = ImageNetLayout.lists.first(where: { path == $0 || path.hasSuffix("/\($0)") }) {
                lists[list] = (path, member)
                return
            }
            if prefix == nil, let start = path.range(of: "ILSVRC/") { prefix = String(path[..<start.lowerBound]) }
            let inner = path.dropFirst(path.hasPrefix(prefix ?? "") ? (prefix ?? "").count : 0)
            // By bytes: this is asked a million times.
            if inner.utf8.starts(with: ImageNetLayout.train.utf8) {
                let rest = inner.dropFirst(ImageNetLayout.train.count)
                guard let slash = rest.firstIndex(of: "/"), rest.index(after: slash) < rest.endIndex, !rest.hasSuffix("/") else { return }
                train[String(rest[..<slash]), default: []].append(try found(rest[rest.index(after: slash)...], size, member, path))
            } else if inner.utf8.starts(with: ImageNetLayout.validation.utf8), !inner.hasSuffix("/") {
                validation.append(try found(inner.dropFirst(ImageNetLayout.validation.count), size, member, path))
            } else if inner.utf8.starts(with: ImageNetLayout.annotations.utf8), inner.hasSuffix(".xml") {
                annotations[String(inner.dropFirst(ImageNetLayout.annotations.count).dropLast(4))] = (path, member)
            }
        }
        for (what, isThere, folder) in [
            ("training", !train.isEmpty, ImageNetLayout.train), ("validation", !validation.isEmpty, ImageNetLayout.validation),
        ] where !isThere {
            throw InputError(file: files.place, "holds no \(what) images; expected \(folder)… as the competition has it")
        }
        func content(_ list: String) throws -> (data: Data, file: String)? {
            try lists[list].map { (try files.content(of: $0.path, member: $0.member), "\(files.place)/\($0.path)") }
        }
        let mapping = try content(ImageNetLayout.lists[0])
        let layout = try ImageNetLayout(
            mapping: mapping?.data, folders: Set(train.keys), file: mapping?.file ?? files.place)
        let solutions = try content(ImageNetLayout.lists[1]).map { try ImageNetLayout.solutions($0.data, file: $0.file) } ?? [:]
        let numbers = Dictionary(uniqueKeysWithValues: layout.synsets.enumerated().map { ($1, Int32($0)) })

        let labelled = try validation.map { image in
            let name = String(image.name.prefix { $0 != "." })
            var synset = solutions[name]
            if synset == nil, let note = annotations[name] {
                synset = ImageNetLayout.synset(ofAnnotation: try files.content(of: note.path, member: note.member))
            }
            guard let label = synset.flatMap({ numbers[$0] }) else {
                throw InputError(
                    file: "\(files.place)/\(ImageNetLayout.validation)\(image.name)",
                    synset.map { "is of class \($0), which has no training images" }
                        ?? "has no class: expected it in \(ImageNetLayout.lists[1]) or in \(ImageNetLayout.annotations)\(name).xml")
            }
            return Found(label: label, size: image.size, member: image.member, name: image.name)
        }
        self.synsets = layout.synsets
        classNames = layout.names
        (self.stamp, self.prefix) = (stamp, prefix ?? "")
        self.train = Self.half(
            layout.synsets.enumerated().flatMap { number, synset in
                (train[synset] ?? []).sorted { ExactName($0.name) < ExactName($1.name) }
                    .map { Found(label: Int32(number), size: $0.size, member: $0.member, name: $0.name) }
            }, isTraining: true)
        self.validation = Self.half(labelled.sorted { ExactName($0.name) < ExactName($1.name) }, isTraining: false)
    }

    private static func half(_ images: [Found], isTraining: Bool) -> Half {
        var (names, starts) = (Data(), [UInt32(0)])
        starts.reserveCapacity(images.count + 1)
        for image in images {
            names.append(contentsOf: image.name.utf8)
            starts.append(UInt32(names.count))
        }
        let (labels, sizes) = (images.map(\.label), images.map(\.size))
        return Half(
            labels: labels, members: images.map(\.member), sizes: sizes, names: names, starts: starts, isTraining: isTraining,
            digest: sha256(names + bytes(starts) + bytes(labels) + bytes(sizes)))
    }

    // MARK: File

    private struct Header: Codable {
        let stamp, prefix: String
        let synsets, classNames: [String]
        let train, validation: Part

        struct Part: Codable {
            let count, nameBytes: Int
            let digest: String
        }
    }

    private static let heading = Data("prologue imagenet index 1\n".utf8)
    private static let digestLength = 65

    /// Nil where there is no such file, or it is of other data.
    /// - Throws: `InputError` where it is not what was written.
    init?(reading url: URL, stamp: String) throws {
        guard try isPresent(url) else { return nil }
        let content: Data
        do { content = try Data(contentsOf: url, options: .alwaysMapped) } catch {
            throw InputError(file: url.path, cannot: "read", because: error)
        }
        let damage = InputError(file: url.path, isDamage: true, "is damaged: its content does not match its checksum")
        guard content.count > Self.heading.count + Self.digestLength, content.starts(with: Self.heading) else { throw damage }
        let body = content.dropLast(Self.digestLength)
        guard content.suffix(Self.digestLength).elementsEqual((sha256(body) + "\n").utf8),
            let end = body[Self.heading.count...].firstIndex(of: UInt8(ascii: "\n")),
            let header = try? JSONDecoder().decode(Header.self, from: body[Self.heading.count..<end])
        else { throw damage }
        guard header.stamp == stamp else { return nil }
        var place = end + 1
        func take<Number: FixedWidthInteger>(_ count: Int, as type: Number.Type) throws -> [Number] {
            let size = count * MemoryLayout<Number>.size
            guard count >= 0, place + size <= body.endIndex else { throw damage }
            defer { place += size }
            return [Number](unsafeUninitializedCapacity: count) { buffer, filled in
                _ = body[place..<place + size].copyBytes(to: UnsafeMutableRawBufferPointer(buffer))
                filled = count
            }
        }
        func half(_ part: Header.Part, isTraining: Bool) throws -> Half {
            let labels = try take(part.count, as: Int32.self)
            let members = try take(part.count, as: UInt64.self)
            let sizes = try take(part.count, as: UInt32.self)
            let starts = try take(part.count + 1, as: UInt32.self)
            let names = Data(try take(part.nameBytes, as: UInt8.self))
            return Half(
                labels: labels, members: members, sizes: sizes, names: names, starts: starts, isTraining: isTraining, digest: part.digest)
        }
        (synsets, classNames, prefix, self.stamp) = (header.synsets, header.classNames, header.prefix, stamp)
        train = try half(header.train, isTraining: true)
        validation = try half(header.validation, isTraining: false)
    }

    func write(to url: URL) throws {
        func part(_ half: Half) -> Header.Part { Header.Part(count: half.labels.count, nameBytes: half.names.count, digest: half.digest) }
        let header = Header(
            stamp: stamp, prefix: prefix, synsets: synsets, classNames: classNames, train: part(train), validation: part(validation))
        var content = Self.heading
        content += try JSONEncoder().encode(header)
        content.append(UInt8(ascii: "\n"))
        for half in [train, validation] {
            content += Self.bytes(half.labels) + Self.bytes(half.members) + Self.bytes(half.sizes) + Self.bytes(half.starts) + half.names
        }
        content += Data((sha256(content) + "\n").utf8)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try AtomicFile.write(content, to: url)
    }

    /// Little-endian, as every machine has them that this runs on.
    private static func bytes(_ numbers: [some FixedWidthInteger]) -> Data { numbers.withUnsafeBytes { Data($0) } }
}
