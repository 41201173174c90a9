import Files
import Foundation
import Settings
import Sweep

/// A folder of published checkpoints, each in a folder of its own that is known by its name.
struct ReleasedFolders {
    /// One that a run asks for is not there.
    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    /// The folder of the model that `source` names, which may be `released:NAME`; any other source as it is.
    ///
    /// - Parameter checkpoints: the setting of that name.
    /// - Throws: `Missing` where there is no such folder; `InputError` where several are called so, or the name is none.
    static func resolved(_ source: String, isPrior: Bool, in checkpoints: String?) throws -> String {
        guard source.hasPrefix(ReleasedName.scheme) else { return source }
        let key = isPrior ? "prior.from" : "tokenizer.from"
        let known = ReleasedName.all.filter { ($0.size != nil) == isPrior }
        guard let name = ReleasedName(source: source, isPrior: isPrior), known.contains(name) else {
            let asked = String(source.dropFirst(ReleasedName.scheme.count))
            let hint = nearest(to: asked, among: known.map(\.description)).map { "; did you mean \(ReleasedName.scheme)\($0)?" } ?? ""
            throw InputError(
                "\(key): no published model is called '\(asked)'; there are \(known.map(\.description).joined(separator: ", "))\(hint)")
        }
        let what =
            isPrior ? "AR model \(name.size?.rawValue.uppercased() ?? "") of tokenizer \(name.tokenizer.rawValue)" : "tokenizer \(name)"
        let how = "the \(what) is a folder of the published checkpoints; put it, or a link to it, there as '\(name.folder)'"
        guard let checkpoints else {
            throw Missing(description: "checkpoints names no folder; \(how), and give that folder: --set checkpoints=FOLDER")
        }
        let folder = URL(fileURLWithPath: checkpoints)
        let all = try names(in: folder).sorted()
        let found = all.filter { ReleasedName(folder: $0) == name }
        guard let only = found.first else {
            throw Missing(description: "\(checkpoints) has no folder of it; \(how)\(hint(all))")
        }
        guard found.count == 1 else {
            throw InputError(
                file: checkpoints, "\(found.joined(separator: " and ")) are both called like \(name.folder); leave one of them there")
        }
        return folder.appendingPathComponent(only).path
    }

    /// What may be meant instead: names are not fixed by those who published the models, so that a folder may be called anything.
    private static func hint(_ names: [String]) -> String {
        if names.contains("model.safetensors") { return "; it is itself a folder of one model: name the one that holds it" }
        let unknown = names.filter { !$0.hasPrefix(".") && ReleasedName(folder: $0) == nil }
        if unknown.isEmpty { return "" }
        return "; names there that say no model: \(unknown.prefix(5).joined(separator: ", "))\(unknown.count > 5 ? ", …" : "")"
    }
}

extension RunSettings {
    /// The same with folders in the place of the names of published models.
    func withReleasedFolders() throws -> RunSettings {
        var settings = self
        settings.tokenizer.from = try tokenizer.from.map { try ReleasedFolders.resolved($0, isPrior: false, in: checkpoints) }
        settings.prior.from = try prior.from.map { try ReleasedFolders.resolved($0, isPrior: true, in: checkpoints) }
        return settings
    }
}

extension SweepFile {
    /// Cells whose published checkpoints are not there, by label, with what is missing.
    public var missingCheckpoints: [String: String] {
        var missing: [String: String] = [:]
        for cell in cells {
            do { _ = try cell.settings.withReleasedFolders() } catch let error as ReleasedFolders.Missing {
                missing[cell.label] = error.description
            } catch {}
        }
        return missing
    }
}
