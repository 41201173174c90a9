/// How an arm's curve looks in every plot of a report.
struct ArmStyle: Equatable {
    /// Place in the palette.
    let colour: Int
    let isDashed: Bool

    /// Styles for arms with these labels: a colour for each first part, such as the variant; where there are two arms to a
    /// part, such as two budgets, the first is dashed. With more to a part, or where nothing would be gained, a colour for each.
    static func all(for labels: [String]) -> [ArmStyle] {
        let parts = labels.map { label in label.split(separator: ",").first.map(String.init) ?? label }
        var families: [String] = []
        for part in parts where !families.contains(part) { families.append(part) }
        let sizes = families.map { family in parts.count { $0 == family } }
        guard let largest = sizes.max(), largest == 2 else {
            return labels.indices.map { ArmStyle(colour: $0, isDashed: false) }
        }
        return parts.indices.map { place in
            let family = families.firstIndex(of: parts[place]) ?? 0
            let isFirst = !parts[..<place].contains(parts[place])
            return ArmStyle(colour: family, isDashed: isFirst && sizes[family] == 2)
        }
    }
}
