internal import CHDF5
internal import GRDB

/// Versions of the libraries that the store is written with, as found at run time.
public enum StoreLibraries {
    public static var hdf5: String {
        var (major, minor, release): (UInt32, UInt32, UInt32) = (0, 0, 0)
        HDF5Library.release { H5get_libversion(&major, &minor, &release) }
        return "\(major).\(minor).\(release)"
    }

    public static var sqlite: String {
        (try? DatabaseQueue().read { try String.fetchOne($0, sql: "SELECT sqlite_version()") }) ?? "unknown"
    }
}
