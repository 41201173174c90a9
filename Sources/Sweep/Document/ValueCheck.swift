import Files
import Settings

/// Checks one value against its row of the settings table.
struct ValueCheck {
    let setting: Setting
    let path: String

    init(_ setting: Setting, path: String) { (self.setting, self.path) = (setting, path) }

    /// The value in its one JSON form: whole numbers as `.int`, whatever they were written as.
    func check(_ value: SourceValue) throws -> SourceValue {
        if value.isNull {
            guard setting.isNullable else { throw wrongType(value) }
            return value
        }
        let result = try check(value, as: setting.kind)
        if let count = setting.count, let items = result.items, items.count != count {
            throw value.place.error("\(path) needs \(count) entries, not \(items.count)")
        }
        if case .list = setting.kind, result.items?.isEmpty == true, setting.default != [] {
            throw value.place.error("\(path) is an empty list")
        }
        return result
    }

    private func check(_ value: SourceValue, as kind: ValueKind) throws -> SourceValue {
        if let text = value.text, kind != .string, !isChoice(kind) { try rejectReference(text, at: value.place) }
        switch (kind, value.content) {
        case (.list(let element), .list(let items)):
            return SourceValue(content: .list(try items.mapAll { try check($0, as: element) }), place: value.place)
        case (.bool, .plain(.bool)), (.string, .plain(.string)):
            return value
        case (.choice(let names), .plain(.string(let text))):
            guard names.contains(text) else {
                throw value.place.error(
                    "\(path) is '\(text)', but must be one of \(names.joined(separator: ", "))"
                        + Schema.hint(
                            Self.otherNames[text.lowercased()].flatMap { names.contains($0) ? $0 : nil }
                                ?? nearest(to: text, among: names)))
            }
            return value
        case (.int, .plain(let number)), (.float, .plain(let number)):
            guard let double = number.doubleValue else { throw wrongType(value) }
            let normalized = JSONValue.normalized(double)
            if kind == .int, abs(double) >= Self.largestWhole {
                throw value.place.error("\(path) is \(value.written ?? value.shown), but must be less than 2^53 = 9007199254740992")
            }
            if kind == .int, normalized.intValue == nil {
                throw value.place.error(
                    "\(path) is \(value.shown), but must be a whole number; nearest: "
                        + JSONValue.normalized(double.rounded()).canonical)
            }
            try checkRange(double, at: value.place)
            return .plain(normalized, at: value.place)
        default:
            throw wrongType(value)
        }
    }

    private func checkRange(_ value: Double, at place: Place) throws {
        guard let bounds = setting.bounds, !bounds.contains(value) else { return }
        var near = ""
        if let lower = bounds.lower, value < lower, !bounds.lowerIsOpen {
            near = "; nearest: \(JSONValue.normalized(lower).canonical)"
        } else if let upper = bounds.upper, value > upper, !bounds.upperIsOpen {
            near = "; nearest: \(JSONValue.normalized(upper).canonical)"
        }
        throw place.error("\(path) is \(JSONValue.normalized(value).canonical), but must be \(bounds.text)\(near)")
    }

    private func wrongType(_ value: SourceValue) -> InputError {
        let expected = setting.kind.name + (setting.isNullable ? " or null" : "")
        var hint = ""
        var kind = setting.kind
        if case .list(let element) = kind, value.items == nil { kind = element }
        if let advice = value.name.flatMap({ YAMLScalar.advice($0, kind: kind, unit: setting.unit) }) {
            hint = "; \(advice)"
        } else if case .string = setting.kind, let written = value.written {
            hint = "; write '\(written)' in quotes"
        } else if value.items != nil {
            hint = "; to run several values, put \(path) under axes"
        }
        return value.place.error("\(path) is \(value.shown), but must be of type \(expected)\(hint)")
    }

    /// Values are given, never computed from one another: a cell must say by itself what it is.
    private func rejectReference(_ text: String, at place: Place) throws {
        let words = text.split { !($0.isLetter || $0.isNumber || $0 == "." || $0 == "_") }.map(String.init)
        guard text.hasPrefix("=") || text.hasPrefix("$") || words.contains(where: { Schema.node(at: $0) != nil }) else {
            return
        }
        throw place.error(
            "\(path) is '\(text)', but a value cannot depend on another setting; write the value, and to vary settings "
                + "together use zip or arms")
    }

    /// From here on not every whole number is one that a computer's floating point holds.
    private static let largestWhole = 9_007_199_254_740_992.0

    /// What other programs call the choices.
    private static let otherNames = [
        "bf16": "bfloat16", "f32": "float32", "fp32": "float32", "float": "float32", "single": "float32",
        "center": "centre", "vqvae": "vq", "raster": "1d", "2d": "hybrid", "cos": "cosine", "const": "constant",
        "mnist": "fashion-mnist", "cifar": "cifar10", "cifar-10": "cifar10", "imagefolder": "image-folder",
        "hdf5": "image-hdf5", "baseline": "baseline-2d", "coupled": "coupled-2d", "onestage": "prologue-onestage",
        "post": "prologue-post",
    ]

    private func isChoice(_ kind: ValueKind) -> Bool { if case .choice = kind { true } else { false } }
}
