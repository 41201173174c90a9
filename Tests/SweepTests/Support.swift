import Files
import Foundation
import Sweep
import TestSupport
import Testing

/// Loads `yaml` as `experiment/sweep.yaml`, beside the other `files` and the presets.
func load(
    _ yaml: String, files: [String: String] = [:], set overrides: [String] = [], only: String? = nil
) throws -> SweepFile {
    try withTemporaryFolder { folder in
        let experiment = folder.appendingPathComponent("experiment")
        try FileManager.default.createDirectory(at: experiment, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: packageRoot.appendingPathComponent("Experiments/presets"), to: folder.appendingPathComponent("presets"))
        for (name, text) in files { try Data(text.utf8).write(to: experiment.appendingPathComponent(name)) }
        let file = experiment.appendingPathComponent("sweep.yaml")
        try Data(yaml.utf8).write(to: file)
        return try SweepFile(loading: file, overrides: overrides, only: only)
    }
}

/// The error that loading gives, without the folder's name; nil where it gives none.
func loadingError(
    _ yaml: String, files: [String: String] = [:], set overrides: [String] = [], only: String? = nil
) throws -> String? {
    do {
        _ = try load(yaml, files: files, set: overrides, only: only)
        return nil
    } catch let error as InputError {
        return error.message.replacing(/[^ \n]*\/experiment\//, with: "")
    }
}
