import Files

extension Schema {
    /// The page that lists every setting, as `docs/settings.md` holds it.
    public static func markdown() -> String {
        var text = """
            # Settings

            Every key a sweep file, `--set` or a condition may name, with its default. This page is written by the
            program from the table that also checks the files; [sweeps.md](sweeps.md) says how files are put together.

            - `null` in the default means that the key may be null; its line says what null means.
            - Keys marked † are bookkeeping: they do not affect results; changing them reuses what is trained already.
            - `seed` and `seeds.*` are set by the sweep's `seeds`, and can be used in conditions.

            """
        for (key, node) in root.members { append(node, path: key, to: &text) }
        return text
    }

    private static func append(_ node: SchemaNode, path: String, to text: inout String) {
        switch node {
        case .setting(let setting):
            // A setting beside the sections, not in one.
            text += "\n## \(path)\n\n\(heading)\(row(path, setting))"
        case .section(let section):
            append(section, path: path, to: &text)
        case .map(let entry, let fallback):
            append(entry, path: "\(path).NAME", to: &text)
            let names = (fallback.objectValue ?? [:]).keys.sorted().map { "`\($0)`" }.joined(separator: ", ")
            text += "\nEntries unless given: \(names), all defaults.\n"
        }
    }

    private static func append(_ section: SchemaSection, path: String, to text: inout String) {
        let level = path.contains(".") ? "###" : "##"
        text += "\n\(level) \(path)\n\n\(section.help)\n"
        if section.isNullable { text += "The whole section is null unless given.\n" }
        let rows = section.members.compactMap { key, node in
            if case .setting(let setting) = node { row("\(path).\(key)", setting) } else { nil }
        }
        if !rows.isEmpty { text += "\n\(heading)\(rows.joined())" }
        for (key, node) in section.members {
            if case .setting = node { continue }
            append(node, path: "\(path).\(key)", to: &text)
        }
    }

    private static let heading = "| key | type | default | range | unit | meaning |\n|---|---|---|---|---|---|\n"

    private static func row(_ path: String, _ setting: Setting) -> String {
        let range = [setting.bounds?.text, setting.count.map { "\($0) entries" }].compactMap { $0 }
        let cells = [
            "`\(path)`\(setting.affectsResults ? "" : " †")",
            setting.kind.name.replacing("|", with: "\\|"),
            "`\(setting.default.stringValue ?? setting.default.canonical)`",
            range.joined(separator: ", "), setting.unit ?? "", setting.help,
        ]
        return "| \(cells.joined(separator: " | ")) |\n"
    }
}
