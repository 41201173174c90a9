import Cluster
import Files
import Foundation
import Settings
import TestSupport
import Testing

@Suite struct ProfileTests {
    private func profile(_ text: String) throws -> Profile {
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("profile.yaml")
            try Data(text.utf8).write(to: file)
            return try Profile(loading: file)
        }
    }

    @Test func whatIsWrittenIsRead() throws {
        let read = try profile(
            """
            workers: 12
            threads: 8
            device: xla
            gpus: 1
            memory: 24.5
            time_limit: 240
            partition: gpu
            options: ["--exclude=node7"]
            lines:
              - module load cuda
            """)
        #expect(read.scheduler == .slurm && read.workers == 12 && read.threads == 8 && read.device == "xla" && read.gpus == 1)
        #expect(read.memory == 24.5 && read.timeLimit == 240 && read.partition == "gpu" && read.account == nil)
        #expect(read.options == ["--exclude=node7"] && read.lines == ["module load cuda"])
        #expect(try profile("") == Profile())
    }

    @Test(arguments: [
        ("worker: 3", "unknown key worker; did you mean workers?"),
        ("steps: 3", "keys of a profile: scheduler, workers, threads"),
        ("workers: 0", "workers is 0, but must be 1 … 1000; nearest: 1"),
        ("\nthreads: two", "profile.yaml:2: threads is \"two\", but must be of type int"),
        ("scheduler: slrum", "did you mean slurm?"),
        ("partition: \"a b\"", "partition is 'a b'"),
        ("options: [exclude=node7]", "begins with -"),
        ("time_limit: 2", "notice is 120 seconds, but must be shorter than the time limit of 120 seconds"),
        ("[workers]", "a profile is a map of keys"),
    ])
    func mistakesNameTheKeyAndTheNearest(text: String, expected: String) throws {
        let error = #expect(throws: InputError.self) { try profile(text) }
        #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
    }

    /// Those in the repository can be used as they are.
    @Test func theProfilesOfTheRepositoryAreRead() throws {
        let folder = packageRoot.appendingPathComponent("Experiments/profiles")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }.sorted()
        #expect(names == ["cpu.yaml", "gpu.yaml", "local.yaml"])
        for name in names { _ = try Profile(loading: folder.appendingPathComponent(name)) }
    }

    @Test func thePageHasEveryKey() throws {
        let page = try String(contentsOf: packageRoot.appendingPathComponent("docs/cluster.md"), encoding: .utf8)
        for (key, node) in Profile.schema(defaults: Profile()).members {
            guard case .setting(let setting) = node else { continue }
            let value = setting.default.stringValue ?? setting.default.canonical
            let unit = setting.unit.map { " In \($0)." } ?? ""
            #expect(page.contains("| `\(key)` | \(value) | \(setting.help)\(unit) |\n"), "\(key) in docs/cluster.md")
        }
    }

    @Test func resourcesFollowFromThePlanUnlessGiven() {
        var profile = Profile()
        var resources = JobScript.Resources(profile, workers: 4, memory: 2e9, seconds: 36_000)
        #expect(resources.memory == 4e9)
        // Twice a fourth of ten hours, and the notice.
        #expect(resources.minutes == 302)
        #expect(JobScript.Resources(profile, workers: 4, memory: 2e9, seconds: nil).minutes == nil)
        (profile.memory, profile.timeLimit) = (10, 60)
        resources = JobScript.Resources(profile, workers: 4, memory: 2e9, seconds: 36_000)
        #expect(resources.memory == 10e9 && resources.minutes == 60)
    }
}
