import Files
import Sweep

/// Short names for arms: what sets them apart from those that are shown beside them, and nothing else.
public enum ArmLabels {
    /// A setting of an arm, with what it is called in full: `dim=64`.
    public struct Part {
        let key, label: String
        let value: JSONValue

        public init(key: String, label: String, value: JSONValue) { (self.key, self.label, self.value) = (key, label, value) }
    }

    /// Short names for the arms of cells, by what they are called in full.
    static func short(_ cells: [Cell]) -> [String: String] {
        let arms = Dictionary(cells.map { ($0.label, $0.choices) }, uniquingKeysWith: { first, _ in first })
        let names = cells.map(\.label).uniqued()
        let labels = short(names.map { (arms[$0] ?? []).map { Part(key: $0.axis, label: $0.label, value: $0.value) } })
        return Dictionary(uniqueKeysWithValues: zip(names, labels).map { ($0, $1.isEmpty ? $0 : $1) })
    }

    /// A label for each arm. Words stand by themselves, numbers with their key; where that would call two arms alike, all parts
    /// are written out.
    public static func short(_ arms: [[Part]]) -> [String] {
        let keys = Set(arms.joined().map(\.key))
        let shared = keys.filter { key in Set(arms.map { parts in parts.first { $0.key == key }?.value }).count == 1 }
        let words = Dictionary(grouping: arms.joined().compactMap { part in part.value.stringValue.map { ($0, part.key) } }, by: \.0)
        let short = arms.map { parts in
            parts.filter { !shared.contains($0.key) }.map { part in
                guard let word = part.value.stringValue, Set(words[word]?.map(\.1) ?? []).count == 1 else { return part.label }
                return word
            }.joined(separator: ",")
        }
        let isClear = Set(short).count == arms.count && !short.contains("")
        return isClear ? short : arms.map { $0.map(\.label).joined(separator: ",") }
    }
}
