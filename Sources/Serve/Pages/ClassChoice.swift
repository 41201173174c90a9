/// What a class is called: `class 3 (Dress)`; -1 is none.
func className(_ label: Int, among names: [String]) -> String {
    label < 0 ? "without a class" : "class \(label)" + (names.indices.contains(label) ? " (\(names[label]))" : "")
}

/// The control that asks for a class: by name where the names are known, else by number.
struct ClassChoice {
    private let names: [String]
    private let chosen: Int?

    /// - Parameter chosen: nil: none.
    init(_ names: [String], chosen: Int?) { (self.names, self.chosen) = (names, chosen) }

    var control: HTML {
        guard !names.isEmpty else {
            return "<label>Class number; empty for none <input name=\"class\" value=\"\(chosen.map(String.init) ?? "")\"></label>"
        }
        func option(_ value: String, _ text: String, _ isChosen: Bool) -> HTML {
            "<option value=\"\(value)\"\(isChosen ? " selected" as HTML : .empty)>\(text)</option>"
        }
        let options = names.enumerated().map { option(String($0), "\($0): \($1)", $0 == chosen) }
        return "<label>Class <select name=\"class\">\(options)\(option("", "none", chosen == nil))</select></label>"
    }
}
