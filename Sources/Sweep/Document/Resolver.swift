import Files

/// Fills the defaults into checked settings.
enum Resolver {
    /// Every setting of `section` with its value: as written in `value`, else the default.
    static func resolve(_ value: SourceValue?, section: SchemaSection) -> JSONValue {
        if section.isNullable, value == nil || value?.isNull == true { return .null }
        return .object(Dictionary(uniqueKeysWithValues: section.members.map { key, node in
            (key, resolve(value?[key], node: node))
        }))
    }

    private static func resolve(_ value: SourceValue?, node: SchemaNode) -> JSONValue {
        switch node {
        case .setting(let setting): return value?.json ?? setting.default
        case .section(let section): return resolve(value, section: section)
        case .map(let entry, let fallback):
            guard let entries = value?.entries else { return fallback }
            let kept = entries.filter { !$0.value.isNull }
            return .object(Dictionary(uniqueKeysWithValues: kept.map { ($0.key, resolve($0.value, section: entry)) }))
        }
    }
}
