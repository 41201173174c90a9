import Foundation

/// Whether this process may mount file systems, which the tests of full and read-only disks need.
public let canMount: Bool = {
    guard let folder = try? makeTemporaryFolder() else { return false }
    defer { try? FileManager.default.removeItem(at: folder) }
    guard (try? mount(kilobytes: 64, at: folder)) != nil else { return false }
    return (try? runProgram("umount", [folder.path])) != nil
}()

/// A small file system of its own.
public func withMountedFolder(kilobytes: Int, _ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
        try mount(kilobytes: kilobytes, at: folder)
        defer { _ = try? runProgram("umount", ["-l", folder.path]) }
        try body(folder)
    }
}

private func mount(kilobytes: Int, at folder: URL) throws {
    try runProgram("mount", ["-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", folder.path])
}
