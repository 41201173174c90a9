import Files

/// The files of both halves by class, as paths: `train/CLASS/…` and `test/CLASS/…`, or `CLASS/…` alone, which is then split.
/// A single folder around everything is looked through; folders below a class belong to it.
struct ClassListing {
    let classNames: [String]
    let train, test: [[String]]
    /// What is neither folder nor file though it may have been meant to be, in words.
    private(set) var problems: [String] = []

    private static let layout = "data.path should hold train/CLASS/… and test/CLASS/…, or a folder for each class"
    /// Links may lead in circles.
    private static let deepest = 16

    init(_ files: any PictureFiles, seed: UInt64) throws {
        var reader = Reader(files: files)
        var root = ""
        var inside = try reader.folders(in: root)
        if inside.count == 1, inside != ["train"], inside != ["test"] {
            let within = try reader.folders(in: inside[0])
            if !within.isEmpty { (root, inside) = (inside[0], within) }
        }
        func path(_ name: String) -> String { root.isEmpty ? name : "\(root)/\(name)" }
        guard !inside.isEmpty else { throw reader.nothing(in: root, "holds no folders; \(Self.layout)") }
        guard inside.contains("train") || inside.contains("test") else {
            classNames = inside
            (train, test) = try Self.split(inside.map(path), &reader, seed: seed)
            problems = reader.problems
            return
        }
        let halves = ["train", "test"]
        for half in halves where !inside.contains(half) {
            let other = half == "train" ? "test" : "train"
            throw reader.nothing(in: root, "holds \(other), but no folder \(half); \(Self.layout)")
        }
        let classes = try halves.map { try reader.folders(in: path($0)) }
        let exact = classes.map { Set($0.map(ExactName.init)) }
        if let odd = exact[0].symmetricDifference(exact[1]).min() {
            let lacking = exact[0].contains(odd) ? "test" : "train"
            throw reader.nothing(in: path(lacking), "lacks the class '\(odd.text)', which the other half has")
        }
        guard !classes[0].isEmpty else { throw reader.nothing(in: path("train"), "holds no folders; \(Self.layout)") }
        classNames = classes[0]
        train = try classes[0].map { try reader.pictures(path("train/\($0)")) }
        test = try classes[0].map { try reader.pictures(path("test/\($0)")) }
        problems = reader.problems
    }

    /// A tenth of each class, at least one image, is held out.
    private static func split(
        _ classes: [String], _ reader: inout Reader, seed: UInt64
    ) throws -> (train: [[String]], test: [[String]]) {
        var (train, test): ([[String]], [[String]]) = ([], [])
        for (label, folder) in classes.enumerated() {
            let paths = try reader.pictures(folder)
            guard paths.count >= 2 else {
                throw reader.nothing(in: folder, "holds one image, needs two: one to train on and one held out")
            }
            let held = heldOut(paths.count, label: label, seed: seed)
            train.append(paths.indices.filter { !held.contains($0) }.map { paths[$0] })
            test.append(paths.indices.filter(held.contains).map { paths[$0] })
        }
        return (train, test)
    }

    /// Which of the `count` images of a class are held out where a data set has no halves: a tenth, at least one.
    static func heldOut(_ count: Int, label: Int, seed: UInt64) -> Set<Int> {
        var random = SplitMix64(key: seed, DrawPurpose.split, UInt64(label))
        return Set(random.permutation(of: count).prefix(max(1, (count + 5) / 10)))
    }

    /// Lists folders, and keeps what could not be used.
    private struct Reader {
        let files: any PictureFiles
        private(set) var problems: [String] = []

        init(files: any PictureFiles) { self.files = files }

        private mutating func note(_ path: String, _ what: String) { problems.append("\(files.name(of: path)): \(what)") }

        /// An error over a folder; where something could not be used, that is the likely cause.
        func nothing(in folder: String, _ what: String) -> InputError {
            InputError(file: files.name(of: folder), what + (problems.first.map { " (\($0))" } ?? ""))
        }

        /// The names of the folders in a folder.
        mutating func folders(in folder: String) throws -> [String] {
            try files.entries(in: folder).compactMap { entry in
                switch entry.kind {
                case .folder: return entry.name
                case .file: return nil
                case .unusable(let why):
                    note(folder.isEmpty ? entry.name : "\(folder)/\(entry.name)", why)
                    return nil
                }
            }
        }

        /// The paths of all files below a class's folder.
        mutating func pictures(_ folder: String) throws -> [String] {
            let found = try paths(below: folder, depth: 0)
            guard !found.isEmpty else { throw nothing(in: folder, "holds no images") }
            return found
        }

        private mutating func paths(below folder: String, depth: Int) throws -> [String] {
            var found: [String] = []
            for entry in try files.entries(in: folder) {
                let path = "\(folder)/\(entry.name)"
                switch entry.kind {
                case .file: found.append(path)
                case .folder where depth < ClassListing.deepest: found += try paths(below: path, depth: depth + 1)
                case .folder: note(path, "lies more than \(ClassListing.deepest) folders deep: does a link lead back?")
                case .unusable(let why): note(path, why)
                }
            }
            return found
        }
    }
}

/// Which images of a data set without halves are held out: a tenth of each class, at least one, drawn by the seed.
public func heldOutTenth(labels: [Int32], classes: Int, seed: UInt64) -> Set<Int> {
    var members = [[Int]](repeating: [], count: classes)
    for (index, label) in labels.enumerated() { members[Int(label)].append(index) }
    return Set(
        members.enumerated().flatMap { label, indices in
            ClassListing.heldOut(indices.count, label: label, seed: seed).map { indices[$0] }
        })
}
