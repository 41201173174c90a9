import Files
import Settings

/// One run that a sweep asks for.
public struct Cell: Sendable, Equatable {
    /// What its arm is called, such as `prologue,prior.dim=256`: the axes with their values, without the seed.
    public let label: String
    /// The axes with this cell's values, in the order of the file.
    public let choices: [Choice]
    /// Dotted paths that this cell's axes set, with their values.
    public let overrides: [String: JSONValue]
    /// The replicate.
    public let seed: Int
    /// Every setting, as `resolved` holds them. A run may be asked for more than is recorded with it.
    public var settings: RunSettings
    /// Every setting with its value: what is recorded with the run.
    public let resolved: JSONValue

    /// What of `resolved` names the run: what affects results, without keys at a default that means what was done before
    /// there was such a key. So a new version of this program knows the runs that an older one made.
    public var identity: JSONValue { RunSettings.identity(of: resolved) }

    /// The label with the seed: different for any two cells of a sweep.
    public var name: String { "\(label),seed=\(seed)" }

    /// What a condition sees under `key`: a setting, the arm's or a named axis' value, or the label.
    public func lookup(_ key: String) -> JSONValue? {
        choices.first { $0.axis == key }?.value ?? (key == "label" ? .string(label) : resolved[path: key])
    }
}

/// An axis and one of its values.
public struct Choice: Sendable, Hashable {
    /// A dotted path, or the name of a named axis (`arm` for `arms`).
    public let axis: String
    public let value: JSONValue
    /// Such as `prior.dim=256`.
    public let label: String
}
