import Files

/// The case that a word of the command line names; another word is an error with all names and the nearest one.
///
/// - Parameter what: what the cases are, such as "workload".
func namedCase<Case: CaseIterable & RawRepresentable<String>>(_ word: String, what: String) throws -> Case {
    if let found = Case(rawValue: word) { return found }
    let names = Case.allCases.map(\.rawValue)
    let hint = nearest(to: word, among: names).map { "; did you mean '\($0)'?" } ?? ""
    throw InputError("no \(what) '\(word)'; \(what)s: \(names.joined(separator: ", "))\(hint)")
}
