import CZlib
import Files
import Foundation
import Synchronization

/// Pictures in a file, which any number of processes fill.
///
/// Each picture is appended under the file's lock and counts once its entry is written, so that a kill costs one picture at most. One whose
/// checksum is another, whatever the reason, counts as not there.
///
///     0      heading, key and number of pictures as text, zeros after it
///     4096   an entry of 32 bytes a picture; zeros: it is not there
///     then   pixels (row, column, channel), in the order in which they came
package final class PictureCacheFile: Sendable {
    /// How much the file may take.
    package struct Room: Sendable {
        /// Bytes at most; nil: any number.
        package var limit: Int?
        /// Share of the file system that stays free.
        package var spare = 0.05

        package init(limit: Int? = nil, spare: Double = 0.05) { (self.limit, self.spare) = (limit, spare) }
    }

    let url: URL
    private let heading: [UInt8]
    private let count, channels: Int
    private let room: Room
    private let state = Mutex(State())

    private struct State {
        /// Negative: the file is not there, or is no such file.
        var descriptor: Int32 = -1
        var grows = true
    }

    /// - Parameter heading: a file with another one is begun anew, once there is something to keep.
    init(_ url: URL, heading: String, count: Int, channels: Int, room: Room) {
        (self.url, self.count, self.channels, self.room) = (url, count, channels, room)
        let text = Array("prologue picture cache 1\n\(heading) \(count)\n".utf8)
        self.heading = text + [UInt8](repeating: 0, count: Self.headingLength - text.count)
        var descriptor = open(url.path, O_RDWR | O_CLOEXEC)
        let isReadOnly = descriptor < 0 && (errno == EACCES || errno == EROFS)
        if isReadOnly { descriptor = open(url.path, O_RDONLY | O_CLOEXEC) }
        if descriptor >= 0, !isLaidOut(descriptor) {
            close(descriptor)
            descriptor = -1
        }
        state.withLock { $0 = State(descriptor: descriptor, grows: !isReadOnly) }
    }

    deinit { state.withLock { if $0.descriptor >= 0 { close($0.descriptor) } } }

    /// What it takes on the disk now.
    var bytes: Int {
        var status = stat()
        return stat(url.path, &status) == 0 ? Int(status.st_blocks) * 512 : 0
    }

    /// The picture at `place`, and whether it was kept as it is; nil: it is not there.
    func read(_ place: Int) -> (picture: Picture, isWhole: Bool)? {
        precondition(place >= 0 && place < count, "picture \(place) of \(count)")
        let descriptor = state.withLock { $0.descriptor }
        guard descriptor >= 0, let entry = entry(place, descriptor) else { return nil }
        return picture(entry, descriptor).map { ($0, entry.isWhole) }
    }

    /// How many pictures are there, and the bytes of their pixels and of what kills have left.
    func kept() -> (count: Int, bytes: Int) {
        let descriptor = state.withLock { $0.descriptor }
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else { return (0, 0) }
        let block = 1 << 15
        let found = stride(from: 0, to: count, by: block).reduce(0) { sum, first in
            let entries = bytes(8 * Entry.words * min(block, count - first), at: entryStart(first), of: descriptor) ?? []
            // The last word is never 0 where there is an entry: its fifth byte is 1.
            return sum + stride(from: 28, to: entries.count, by: 32).count { entries[$0] == 1 }
        }
        return (found, Int(status.st_size) - pixelStart)
    }

    /// Keeps a picture that `read` has not found. Where that fails it is decoded again next time.
    func keep(_ picture: Picture, isWhole: Bool, at place: Int) {
        precondition(picture.channels == channels, "a picture of \(picture.channels) channels for a file of \(channels)")
        state.withLock { state in
            // What has failed once is not tried for every picture again.
            if state.grows { state.grows = append(picture, isWhole: isWhole, at: place, &state.descriptor) }
        }
    }

    // MARK: Layout

    private static let headingLength = 4096
    private var pixelStart: Int { entryStart(count) }
    private func entryStart(_ place: Int) -> Int { Self.headingLength + 8 * Entry.words * place }

    private func isLaidOut(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && Int(status.st_size) >= pixelStart
            && bytes(heading.count, at: 0, of: descriptor) == heading
    }

    /// Begins the file: the heading last, so that a file which has it has the rest.
    private func layOut(_ descriptor: Int32) -> Bool {
        ftruncate(descriptor, 0) == 0 && ftruncate(descriptor, off_t(pixelStart)) == 0 && write(heading, at: 0, to: descriptor)
    }

    /// Where the pixels of a picture lie.
    private struct Entry {
        static let words = 4

        let offset, height, width: Int
        let isWhole: Bool
        let checksum: UInt32

        /// As it is written, at its place: the last word is the checksum of the others, and never 0.
        func encoded(_ place: Int) -> [UInt64] {
            let words = [
                UInt64(offset), UInt64(height) << 32 | UInt64(width), UInt64(checksum) << 32 | (isWhole ? 1 : 0),
            ]
            return words + [UInt64(crc([UInt64(place)] + words)) | 1 << 32]
        }

        init(offset: Int, _ picture: Picture, isWhole: Bool) {
            (self.offset, height, width, self.isWhole) = (offset, picture.height, picture.width, isWhole)
            checksum = crc(picture.pixels)
        }

        /// Nil where the words are not what was written: there is no entry, or a crash of the machine has left half of one.
        init?(_ words: [UInt64], _ place: Int) {
            guard let offset = Int(exactly: words[0]) else { return nil }
            (self.offset, height, width) = (offset, Int(words[1] >> 32), Int(words[1] & 0xFFFF_FFFF))
            (checksum, isWhole) = (UInt32(words[2] >> 32), words[2] & 1 == 1)
            guard encoded(place) == words else { return nil }
        }
    }

    private func entry(_ place: Int, _ descriptor: Int32) -> Entry? {
        guard let bytes = bytes(8 * Entry.words, at: entryStart(place), of: descriptor) else { return nil }
        let words = (0..<Entry.words).map { word in (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[8 * word + $1]) << (8 * $1) } }
        return Entry(words, place)
    }

    private func picture(_ entry: Entry, _ descriptor: Int32) -> Picture? {
        guard entry.height > 0, entry.width > 0, entry.height <= Picture.mostPixels / entry.width,
            let pixels = bytes(entry.height * entry.width * channels, at: entry.offset, of: descriptor), crc(pixels) == entry.checksum
        else { return nil }
        return Picture(height: entry.height, width: entry.width, channels: channels, pixels: pixels)
    }

    // MARK: Growth

    /// - Returns: whether it is worth trying again.
    private func append(_ picture: Picture, isWhole: Bool, at place: Int, _ descriptor: inout Int32) -> Bool {
        if descriptor < 0 {
            try? FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        }
        guard descriptor >= 0, lock(descriptor) else { return false }
        defer { flock(descriptor, LOCK_UN) }
        if !isLaidOut(descriptor), !layOut(descriptor) { return false }
        // Another process, or thread, may have been faster.
        if let entry = entry(place, descriptor), self.picture(entry, descriptor) != nil { return true }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        let end = Int(status.st_size)
        guard hasRoom(for: picture.pixels.count, at: end) else { return false }
        let words = Entry(offset: end, picture, isWhole: isWhole).encoded(place)
        let entry = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        if write(picture.pixels, at: end, to: descriptor), write(entry, at: entryStart(place), to: descriptor) { return true }
        // A full disk: what came of it is given back.
        _ = ftruncate(descriptor, off_t(end))
        return false
    }

    private func hasRoom(for bytes: Int, at end: Int) -> Bool {
        if let limit = room.limit, end + bytes > limit { return false }
        guard room.spare > 0, let disk = DiskSpace(of: url) else { return true }
        return Double(disk.free - bytes) >= room.spare * Double(disk.all)
    }

    private func lock(_ descriptor: Int32) -> Bool {
        while flock(descriptor, LOCK_EX) != 0 { if errno != EINTR { return false } }
        return true
    }

    private func bytes(_ count: Int, at offset: Int, of descriptor: Int32) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset + filled))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { return }
                filled += got
            }
        }
        return bytes.count == count ? bytes : nil
    }

    private func write(_ bytes: [UInt8], at offset: Int, to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let put = pwrite(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset + done))
                if put < 0, errno == EINTR { continue }
                guard put > 0 else { return false }
                done += put
            }
            return true
        }
    }
}

/// CRC-32 of numbers as they lie in memory.
private func crc(_ numbers: [some FixedWidthInteger]) -> UInt32 {
    numbers.withUnsafeBytes { UInt32(truncatingIfNeeded: crc32_z(0, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)) }
}
