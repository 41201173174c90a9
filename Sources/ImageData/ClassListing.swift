import Files

/// The files of both halves by class, as paths: `train/CLASS/…` and `test/CLASS/…`, or `CLASS/…` alone, which is then split.
/// A single folder around everything is looked through.
struct ClassListing {
    let classNames: [String]
    let train, test: [[String]]

    private static let layout = "data.path should hold train/CLASS/… and test/CLASS/…, or a folder for each class"

    init(_ files: any PictureFiles, seed: UInt64) throws {
        var root = ""
        var inside = try files.folders(in: root)
        if inside.count == 1, inside != ["train"], inside != ["test"] {
            let within = try files.folders(in: inside[0])
            if !within.isEmpty { (root, inside) = (inside[0], within) }
        }
        func path(_ name: String) -> String { root.isEmpty ? name : "\(root)/\(name)" }
        guard !inside.isEmpty else { throw InputError(file: files.name(of: root), "holds no folders; \(Self.layout)") }
        guard inside.contains("train") || inside.contains("test") else {
            classNames = inside
            (train, test) = try Self.split(inside.map(path), files, seed: seed)
            return
        }
        let halves = ["train", "test"]
        for half in halves where !inside.contains(half) {
            let other = half == "train" ? "test" : "train"
            throw InputError(file: files.name(of: root), "holds \(other), but no folder \(half); \(Self.layout)")
        }
        let classes = try halves.map { try files.folders(in: path($0)) }
        if let odd = Set(classes[0]).symmetricDifference(classes[1]).min() {
            let lacking = classes[0].contains(odd) ? "test" : "train"
            throw InputError(file: files.name(of: path(lacking)), "lacks the class '\(odd)', which the other half has")
        }
        guard !classes[0].isEmpty else {
            throw InputError(file: files.name(of: path("train")), "holds no folders; \(Self.layout)")
        }
        classNames = classes[0]
        train = try classes[0].map { try Self.pictures(path("train/\($0)"), files) }
        test = try classes[0].map { try Self.pictures(path("test/\($0)"), files) }
    }

    /// A tenth of each class, at least one image, is held out.
    private static func split(
        _ classes: [String], _ files: any PictureFiles, seed: UInt64
    ) throws -> (train: [[String]], test: [[String]]) {
        var (train, test): ([[String]], [[String]]) = ([], [])
        for (label, folder) in classes.enumerated() {
            let paths = try pictures(folder, files)
            guard paths.count >= 2 else {
                throw InputError(
                    file: files.name(of: folder), "holds one image, needs two: one to train on and one held out")
            }
            let held = heldOut(paths.count, label: label, seed: seed)
            train.append(paths.indices.filter { !held.contains($0) }.map { paths[$0] })
            test.append(paths.indices.filter(held.contains).map { paths[$0] })
        }
        return (train, test)
    }

    private static func pictures(_ folder: String, _ files: any PictureFiles) throws -> [String] {
        let found = try files.names(in: folder).map { "\(folder)/\($0)" }
        guard !found.isEmpty else { throw InputError(file: files.name(of: folder), "holds no images") }
        return found
    }

    /// Which of the `count` images of a class are held out where a data set has no halves: a tenth, at least one.
    static func heldOut(_ count: Int, label: Int, seed: UInt64) -> Set<Int> {
        var random = SplitMix64(key: seed, SplitMix64.Purpose.split, UInt64(label))
        return Set(random.permutation(count).prefix(max(1, (count + 5) / 10)))
    }
}

/// Which images of a data set without halves are held out: a tenth of each class, at least one, drawn by the seed.
public func heldOutTenth(labels: [Int32], classes: Int, seed: UInt64) -> Set<Int> {
    var members = [[Int]](repeating: [], count: classes)
    for (index, label) in labels.enumerated() { members[Int(label)].append(index) }
    return Set(members.enumerated().flatMap { label, indices in
        ClassListing.heldOut(indices.count, label: label, seed: seed).map { indices[$0] }
    })
}
