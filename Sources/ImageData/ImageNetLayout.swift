import Files
import Foundation

/// What the competition's own lists say: classes, and those of the validation images.
struct ImageNetLayout {
    static let lists = ["LOC_synset_mapping.txt", "LOC_val_solution.csv"]
    static let train = "ILSVRC/Data/CLS-LOC/train/", validation = "ILSVRC/Data/CLS-LOC/val/"
    static let annotations = "ILSVRC/Annotations/CLS-LOC/val/"

    /// Synsets (`n01440764`) in order: class i is the i-th.
    let synsets: [String]
    /// What people call them, all different.
    let names: [String]

    /// - Parameters:
    ///   - mapping: the content of `LOC_synset_mapping.txt`; nil: there is none, and classes are called by their synsets.
    ///   - folders: those that there are training images of.
    init(mapping: Data?, folders: Set<String>, file: String) throws {
        guard let mapping else {
            synsets = folders.sorted()
            names = synsets
            return
        }
        var (synsets, words): ([String], [String]) = ([], [])
        for (number, line) in String(decoding: mapping, as: UTF8.self).split(whereSeparator: \.isNewline).enumerated() {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard let synset = parts.first, Self.isSynset(synset) else {
                throw InputError(file: file, line: number + 1, "'\(line.prefix(60))' does not begin with a synset such as n01440764")
            }
            synsets.append(String(synset))
            // The first of its synonyms.
            words.append(parts.count == 2 ? String(parts[1].split(separator: ",")[0]).trimmingCharacters(in: .whitespaces) : String(synset))
        }
        guard Set(synsets).count == synsets.count else { throw InputError(file: file, "a synset stands there twice") }
        if let other = folders.subtracting(synsets).sorted().first {
            throw InputError(
                file: file,
                "has no line for \(other), of which there are training images"
                    + (nearest(to: other, among: synsets).map { "; the nearest is \($0)" } ?? ""))
        }
        self.synsets = synsets
        // Two birds and machines are both called crane.
        let often = Dictionary(grouping: words, by: \.self).filter { $0.value.count > 1 }
        names = zip(words, synsets).map { often[$0] == nil ? $0 : "\($0) (\($1))" }
    }

    static func isSynset(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 9 && text.hasPrefix("n") && text.dropFirst().utf8.allSatisfy { (48...57).contains($0) }
    }

    /// The synset of each validation image by its name without an ending, of `LOC_val_solution.csv`.
    static func solutions(_ content: Data, file: String) throws -> [String: String] {
        var found: [String: String] = [:]
        for (number, line) in String(decoding: content, as: UTF8.self).split(whereSeparator: \.isNewline).enumerated() {
            let parts = line.split(separator: ",", maxSplits: 1)
            if number == 0, parts.first == "ImageId" { continue }
            guard parts.count == 2, let synset = parts[1].split(separator: " ").first, isSynset(synset) else {
                throw InputError(file: file, line: number + 1, "'\(line.prefix(60))' is not IMAGE,SYNSET x y x y …")
            }
            found[String(parts[0])] = String(synset)
        }
        return found
    }

    /// The synset of the first object that an annotation names.
    static func synset(ofAnnotation content: Data) -> String? {
        let text = String(decoding: content, as: UTF8.self)
        guard let start = text.range(of: "<name>"), let end = text.range(of: "</name>", range: start.upperBound..<text.endIndex) else {
            return nil
        }
        let name = text[start.upperBound..<end.lowerBound].trimmingCharacters(in: .whitespaces)
        return isSynset(name) ? name : nil
    }
}
