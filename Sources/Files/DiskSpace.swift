import Foundation

/// How much a file system holds, and how much of that is free for this user, in bytes.
public struct DiskSpace: Sendable {
    public let all, free: Int

    /// Of the file system that `url` is on, or will be: the nearest folder above it that is there says. Nil where it cannot be told.
    public init?(of url: URL) {
        var place = url.standardizedFileURL
        while access(place.path, F_OK) != 0, place.pathComponents.count > 1 { place.deleteLastPathComponent() }
        var volume = statvfs()
        guard statvfs(place.path, &volume) == 0 else { return nil }
        (all, free) = (Int(volume.f_blocks) * Int(volume.f_frsize), Int(volume.f_bavail) * Int(volume.f_frsize))
    }
}
