import Foundation

/// Files that are named by a user.
public enum RegularFile {
    /// Throws an `InputError` if there is something at this place that is no file: opening a pipe would wait for a writer, and a
    /// device may never end. What is not there is left to be named by what opens it.
    public static func check(_ url: URL) throws {
        var status = stat()
        guard stat(url.path, &status) == 0, status.st_mode & S_IFMT != S_IFREG else { return }
        throw InputError(file: url.path, status.st_mode & S_IFMT == S_IFDIR ? "is a folder; expected a file" : "is no regular file")
    }
}
