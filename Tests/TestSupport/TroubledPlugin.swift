import Foundation

/// `Tests/plugins/troubled.c`: the CPU plugin, except for one program.
public enum TroubledPlugin {
    /// What becomes of the program when it is compiled.
    public enum Trouble: String { case refusal, memory, crash }

    /// Builds it into a folder; returns its path.
    public static func build(in folder: URL) throws -> String {
        let library = folder.appendingPathComponent("troubled.so").path
        let source = packageRoot.appendingPathComponent("Tests/plugins/troubled.c").path
        let header = packageRoot.appendingPathComponent("Sources/CPJRT/include").path
        try runProgram("clang", ["-shared", "-fPIC", "-I", header, "-o", library, source, "-ldl"])
        return library
    }

    /// The environment in which the plugin at `path` has trouble with a program.
    public static func environment(_ path: String, _ trouble: Trouble, with program: String) -> [String: String] {
        [
            "PROLOGUE_PJRT_PLUGIN": path, "TROUBLED_PLUGIN": testPlugin ?? "", "TROUBLED_PROGRAM": program,
            "TROUBLED_BY": trouble.rawValue,
        ]
    }
}
