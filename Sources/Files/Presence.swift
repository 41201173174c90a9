import Foundation

/// Whether there is something at `url`. What cannot be looked at is not absent: then it throws.
public func isPresent(_ url: URL) throws -> Bool {
    var info = stat()
    if lstat(url.path, &info) == 0 { return true }
    if errno == ENOENT || errno == ENOTDIR { return false }
    throw InputError(file: url.path, cannot: "look at it")
}

/// The names in a folder, sorted; empty where there is no folder. A folder that cannot be read throws.
public func names(in folder: URL) throws -> [String] {
    guard let stream = opendir(folder.path) else {
        if errno == ENOENT || errno == ENOTDIR { return [] }
        throw InputError(file: folder.path, cannot: "read the folder")
    }
    defer { closedir(stream) }
    var found: [String] = []
    errno = 0
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { found.append(name) }
        errno = 0
    }
    guard errno == 0 else { throw InputError(file: folder.path, cannot: "read the folder") }
    return found.sorted()
}
