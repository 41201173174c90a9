import Files
import Foundation

/// A plugin that was found on this machine, not loaded yet.
public struct FoundPlugin: Sendable, Equatable {
    /// What it is for: `cuda`, `rocm`, `oneapi`, `tpu`, `metal`, `cpu`, or the name of its file.
    public let name: String
    public let path: String
    /// Where it was found, in words.
    public let origin: String
}

/// Looks for plugins where they usually are: the variable `PROLOGUE_PJRT_PLUGIN`, Python's packages, `LD_LIBRARY_PATH`.
public struct PluginSearch: Sendable {
    public static let variable = "PROLOGUE_PJRT_PLUGIN"

    private let environment: [String: String]
    private let pythonFolders: @Sendable () -> [String]

    /// - Parameter pythonFolders: folders of Python packages beside those of an active environment; asked for only when needed.
    public init(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        pythonFolders: @escaping @Sendable () -> [String] = Self.packagesOfPython
    ) {
        self.environment = environment
        self.pythonFolders = pythonFolders
    }

    /// All plugins, the most wanted first: those that the variable names, then accelerators, then the CPU.
    public func plugins() -> [FoundPlugin] {
        var seen: Set<String> = []
        let named = (environment[Self.variable] ?? "").split(separator: ":").map {
            FoundPlugin(name: Self.name(of: String($0)), path: String($0), origin: Self.variable)
        }
        let found = (inPythonPackages() + inLibraryPath()).sorted { Self.rank($0.name) < Self.rank($1.name) }
        return (named + found).filter { seen.insert(URL(fileURLWithPath: $0.path).resolvingSymlinksInPath().path).inserted }
    }

    /// The plugin that `--device xla` or `--device xla:NAME` means.
    ///
    /// - Throws: `InputError` that lists what there is, or says how to get one.
    public func plugin(named name: String? = nil) throws -> FoundPlugin {
        let all = plugins()
        guard let first = all.first else {
            throw InputError(
                "there is no PJRT plugin on this machine: install one into Python's packages (for NVIDIA `pip install "
                    + "jax-cuda13-pjrt`, for AMD jax-rocm7-pjrt, for tests on the CPU lammps-jax-pjrt-cpu), or name its file in \(Self.variable)"
            )
        }
        guard let name else { return first }
        if let match = all.first(where: { $0.name == name }) { return match }
        let names = all.map(\.name)
        let hint = nearest(to: name, among: names).map { "; did you mean xla:\($0)?" } ?? ""
        throw InputError("there is no PJRT plugin '\(name)'; found: \(names.joined(separator: ", "))\(hint)")
    }

    private func inPythonPackages() -> [FoundPlugin] {
        var folders: [(path: String, origin: String)] = []
        for variable in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
            guard let root = environment[variable] else { continue }
            folders += Self.matches(["lib", "python3*", "site-packages"], below: root).map { ($0, variable) }
        }
        folders += pythonFolders().map { ($0, "packages of python3") }
        let patterns = [
            ["jax_plugins", "*", "*.so"], ["xla_plugins", "*", "*.so"], ["*", "pjrt_c_api_*_plugin.so"], ["libtpu", "libtpu.so"],
        ]
        return folders.flatMap { folder in
            patterns.flatMap { Self.matches($0, below: folder.path) }.map {
                FoundPlugin(name: Self.name(of: $0), path: $0, origin: folder.origin)
            }
        }
    }

    private func inLibraryPath() -> [FoundPlugin] {
        (environment["LD_LIBRARY_PATH"] ?? "").split(separator: ":").flatMap { folder in
            ["*pjrt*plugin*.so", "libtpu.so"].flatMap { Self.matches([$0], below: String(folder)) }.map {
                FoundPlugin(name: Self.name(of: $0), path: $0, origin: "LD_LIBRARY_PATH")
            }
        }
    }

    private static let platforms = ["cuda", "rocm", "oneapi", "tpu", "metal", "cpu"]

    private static func rank(_ name: String) -> Int { platforms.firstIndex(of: name) ?? platforms.count }

    /// The platform that a plugin's path speaks of; else the name of its file.
    static func name(of path: String) -> String {
        let parts = path.split(separator: "/").suffix(2).joined(separator: "/").lowercased()
        let spelled = ["xpu": "oneapi", "openxla": "oneapi"]
        return platforms.first { parts.contains($0) } ?? spelled.first { parts.contains($0.key) }?.value
            ?? URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    }

    /// Paths below `root` whose components match; `*` stands for any characters within a name.
    private static func matches(_ pattern: [String], below root: String) -> [String] {
        var paths = [root]
        for component in pattern {
            paths = paths.flatMap { path in
                let names =
                    component.contains("*")
                    ? ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { fnmatch(component, $0, 0) == 0 }
                        .sorted()
                    : [component]
                return names.map { "\(path)/\($0)" }
            }
        }
        return paths.filter { FileManager.default.fileExists(atPath: $0) }
    }

    /// Where `python3` keeps its packages; nothing where there is no Python.
    public static let packagesOfPython: @Sendable () -> [String] = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            "import site, sysconfig; print(*dict.fromkeys([sysconfig.get_path('purelib'), *site.getsitepackages(), site.getusersitepackages()]), sep='\\n')",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return [] }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
