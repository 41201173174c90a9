import Files
import Foundation
import Synchronization

/// Checksums of files, taken once in a process as long as the files stay as they are.
final class FileDigests: Sendable {
    static let shared = FileDigests()

    /// What changes when a file is written to or replaced.
    private struct Stamp: Equatable {
        let device, inode: UInt64
        let size: Int
        let modified, changed: [Int]

        var isSettled: Bool { Date().timeIntervalSince1970 - Double(changed[0]) - Double(changed[1]) * 1e-9 > 0.1 }
    }

    private let known = Mutex<[String: (stamp: Stamp, digest: String)]>([:])

    /// SHA-256 of the file's content; of an HDF5 file, of what is before the seal, without the mark of a program that has it open.
    func digest(of url: URL) throws -> String {
        let stamp = try stamp(of: url)
        if let known = known.withLock({ $0[url.path] }), known.stamp == stamp { return known.digest }
        let isHDF5 = url.pathExtension == "h5"
        let digest = try sha256(
            file: url, first: isHDF5 ? FileSeal.read(url)?.content : nil, head: isHDF5 ? OpenMark.superblockWithout(url) ?? Data() : Data())
        // Times are coarse: a file that has only just been written may change again without a trace.
        if stamp.isSettled { known.withLock { $0[url.path] = (stamp, digest) } }
        return digest
    }

    private func stamp(of url: URL) throws -> Stamp {
        var info = stat()
        guard stat(url.path, &info) == 0 else { throw InputError(file: url.path, cannot: "read") }
        return Stamp(
            device: UInt64(info.st_dev), inode: UInt64(info.st_ino), size: Int(info.st_size),
            modified: [info.st_mtim.tv_sec, info.st_mtim.tv_nsec], changed: [info.st_ctim.tv_sec, info.st_ctim.tv_nsec])
    }
}
