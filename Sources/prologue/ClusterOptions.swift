import ArgumentParser
import Cluster
import Foundation

/// Options of `sweep run` for workers on other machines.
struct ClusterOptions: ParsableArguments {
    @Option(
        name: .customLong("on"), help: "Profile (YAML): where workers run and how, such as Experiments/profiles/cpu.yaml.",
        completion: .file(extensions: ["yaml", "yml"]))
    var profile: String?
    @Flag(help: "With --on: print the job script, and submit nothing.") var dryRun = false
    @Flag(help: "With --on: submit, and do not wait for the end.") var detach = false

    func validate() throws {
        guard profile == nil else { return }
        if dryRun {
            throw ValidationError("--dry-run prints what --on PROFILE would submit; 'prologue sweep plan' shows what would be run")
        }
        if detach { throw ValidationError("--detach goes with --on PROFILE") }
    }

    /// The profile; nil where none is named.
    func load() throws -> Profile? { try profile.map { try Profile(loading: URL(fileURLWithPath: $0)) } }
}
