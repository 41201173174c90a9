internal import CHDF5
import Files
import Foundation
import Synchronization

/// One open HDF5 file.
///
/// Paths inside the file are like `tokens` or `tensors/encoder.0.weight`; groups on the way are made when a dataset is
/// written. Every failure is an `InputError` that names the file, the dataset and HDF5's own reason.
/// New files use the 1.10 format and carry no time stamps, so the same content gives the same bytes.
public final class HDF5File {
    /// What errors call the file: its path, or the path it will have once it is renamed into place.
    public let name: String
    let handle: HDF5Identifier
    /// How paths are followed: never into another file.
    let reading: HDF5Identifier
    /// Datasets that have been found to claim no more than they hold.
    let sound = Mutex<Set<String>>([])

    /// Opens for reading; a file that was written as a whole and is not what was written is an error.
    ///
    /// - Parameter whileWritten: the file may be open in a writer, or may have been left behind by a killed one.
    public init(reading url: URL, whileWritten: Bool = false) throws {
        name = url.path
        try RegularFile.check(url)
        reading = Self.newReadingList()
        if !whileWritten { try FileSeal.check(url) }
        handle = try Self.open(url, name: name) { access in
            H5Fopen(url.path, whileWritten ? h5_swmr_read() : h5_read_only(), access)
        }
    }

    /// Creates a file, replacing an earlier one. Prefer `write(atomicallyTo:)`, which never leaves half a file.
    public init(creating url: URL, called name: String? = nil) throws {
        self.name = name ?? url.path
        reading = Self.newReadingList()
        handle = try Self.open(url, name: self.name) { access in
            let creation = h5_new_property_list_for_file_creation()
            defer { H5Pclose(creation) }
            H5Pset_obj_track_times(creation, false)
            return H5Fcreate(url.path, h5_truncate(), creation, access)
        }
    }

    /// Writes a whole file: beside its place, sealed with a checksum, synced, then renamed over it. If `body` throws,
    /// `url` is untouched.
    public static func write(atomicallyTo url: URL, _ body: (HDF5File) throws -> Void) throws {
        try AtomicFile.replace(url) { aside in
            let file = try HDF5File(creating: aside, called: url.path)
            do {
                try body(file)
                try file.close()
            } catch {
                file.abandon()
                throw error
            }
            try FileSeal.seal(aside, called: url.path)
        }
    }

    /// Never closes the file: for one that could not be written. On a full disk the library
    /// crashes when it closes what it could not write.
    func abandon() { handle.abandon() }

    private static func newReadingList() -> HDF5Identifier {
        var list = hid_t(-1)
        HDF5Library.release {
            list = h5_new_property_list_for_reading()
            return 0
        }
        return HDF5Identifier(list, closedBy: H5Pclose)
    }

    private static func open(_ url: URL, name: String, _ body: (hid_t) -> hid_t) throws -> HDF5Identifier {
        let identifier = try HDF5Library.call(name, "open the HDF5 file") {
            let access = h5_new_property_list_for_file_access()
            defer { H5Pclose(access) }
            H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110)
            // Closing the file closes what is open in it; file systems without locks are accepted.
            H5Pset_fclose_degree(access, H5F_CLOSE_STRONG)
            H5Pset_file_locking(access, true, true)
            // Each attempt of a concurrent reader waits twice as long as the one before, from 1 ns on: the default of
            // 100 never ends on a damaged file, 26 give up after a tenth of a second.
            H5Pset_metadata_read_attempts(access, 26)
            return body(access)
        }
        return HDF5Identifier(identifier, closedBy: H5Fclose)
    }

    /// Hands everything written so far to the operating system: it survives the death of this process.
    public func flush() throws {
        try HDF5Library.call(name, "flush") { H5Fflush(handle.value, H5F_SCOPE_GLOBAL) }
    }

    /// Writes what is left and closes; the object must not be used afterwards. Without it the file is closed, and a
    /// failure to do so ignored, when the last reference goes.
    public func close() throws {
        try flush()
        try handle.close(name)
    }

    // MARK: Groups and names

    /// Makes a group, and those on the way to it, unless it is there.
    public func makeGroup(_ path: String) throws {
        if try exists(path) { return }
        try HDF5Library.call(name, "make group '\(path)'") {
            let links = h5_new_property_list_for_links()
            let creation = h5_new_property_list_for_group_creation()
            defer { H5Pclose(links); H5Pclose(creation) }
            H5Pset_create_intermediate_group(links, 1)
            H5Pset_obj_track_times(creation, false)
            let group = H5Gcreate2(handle.value, path, links, creation, h5_default())
            return group < 0 ? -1 : H5Gclose(group)
        }
    }

    /// Whether a dataset or group is at `path`.
    public func exists(_ path: String) throws -> Bool {
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/" + part
            let found = try HDF5Library.call(name, "look for '\(path)'") {
                H5Lexists(handle.value, prefix, reading.value)
            }
            if found == 0 { return false }
        }
        return true
    }

    /// The paths of all datasets below `group`, sorted, without a leading slash. A group that is reached twice is listed once;
    /// links that lead nowhere or into other files are passed over.
    public func datasets(in group: String = "/") throws -> [String] {
        var found: [String] = []
        var (start, open) = (UInt64(0), [group])
        try HDF5Library.call(name, "find group '\(group)'") {
            h5_look(handle.value, group, reading.value, &start) == H5_LEADS_TO_GROUP ? 0 : -1
        }
        var seen: Set = [start]
        while let group = open.popLast() {
            for link in try links(of: group) {
                let path = group == "/" ? link.name : "\(group)/\(link.name)"
                switch link.target {
                case H5_LEADS_TO_DATASET: found.append(path)
                case H5_LEADS_TO_GROUP where link.isHard && seen.insert(link.address).inserted: open.append(path)
                default: break
                }
            }
        }
        return found.sorted()
    }

    private struct Link {
        let name: String
        let target: h5_target
        let isHard: Bool
        /// Where in the file the group or dataset lies.
        let address: UInt64
    }

    private func links(of group: String) throws -> [Link] {
        var links: [Link] = []
        try HDF5Library.call(name, "list group '\(group)'") { () -> herr_t in
            let identifier = H5Gopen2(handle.value, group, reading.value)
            guard identifier >= 0 else { return -1 }
            defer { H5Gclose(identifier) }
            return withUnsafeMutablePointer(to: &links) { links in
                let visitor = h5_link_visitor(
                    take: { name, target, isHard, address, links in
                        guard let name, let links else { return }
                        links.assumingMemoryBound(to: [Link].self).pointee.append(
                            Link(name: String(cString: name), target: target, isHard: isHard != 0, address: address))
                    }, context: links, access: reading.value)
                return h5_visit_links(identifier, visitor)
            }
        }
        return links
    }
}
