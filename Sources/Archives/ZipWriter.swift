import CZip
import Files
import Foundation

/// Writes zip files of stored or packed members through libzip, without the time of writing: the same content gives the same bytes.
enum ZipWriter {
    /// 1 January 1980, the first day of the format.
    private static let day: UInt16 = 0x21

    /// - Parameter add: gives the members by calls of `ZipMembers.add`; `ZipMembers.finish` must be called inside all of
    ///   the closures that lend memory.
    static func write(to url: URL, called name: String, _ add: (ZipMembers) throws -> Void) throws {
        var code: Int32 = 0
        guard let archive = zip_open(url.path, ZIP_CREATE | ZIP_TRUNCATE, &code) else {
            throw InputError(file: name, "cannot be made: is there such a folder, and may it be written to?")
        }
        let members = ZipMembers(archive, file: name)
        do { try add(members) } catch {
            members.discard()
            throw error
        }
    }

    /// The members of a file that is being written.
    final class ZipMembers {
        private let archive: OpaquePointer
        private let file: String
        private var isOpen = true

        init(_ archive: OpaquePointer, file: String) { (self.archive, self.file) = (archive, file) }

        /// Memory is read when the file is finished.
        func add(_ name: String, parts: [UnsafeRawBufferPointer], isPacked: Bool = false) throws {
            let fragments = parts.map {
                zip_buffer_fragment_t(
                    data: UnsafeMutablePointer(mutating: $0.bindMemory(to: UInt8.self).baseAddress), length: UInt64($0.count))
            }
            guard let source = zip_source_buffer_fragment(archive, fragments, UInt64(fragments.count), 0) else { throw failure() }
            let place = zip_file_add(archive, name, source, UInt32(ZIP_FL_ENC_UTF_8))
            guard place >= 0 else {
                zip_source_free(source)
                throw failure()
            }
            guard zip_set_file_compression(archive, UInt64(place), isPacked ? ZIP_CM_DEFLATE : ZIP_CM_STORE, isPacked ? 9 : 0) == 0,
                zip_file_set_dostime(archive, UInt64(place), 0, ZipWriter.day, 0) == 0
            else { throw failure() }
        }

        /// Writes everything.
        func finish() throws {
            guard zip_close(archive) == 0 else { throw failure() }
            isOpen = false
        }

        func discard() {
            if isOpen { zip_discard(archive) }
            isOpen = false
        }

        private func failure() -> InputError {
            InputError(file: file, "cannot be written: \(zip_strerror(archive).map { String(cString: $0) } ?? "unknown error")")
        }
    }
}
