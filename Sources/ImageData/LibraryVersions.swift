import CPNG
import CZlib

/// Versions of the libraries that pictures and compressed files are read with, as found at run time.
public enum ImageLibraries {
    public static var png: String { png_get_libpng_ver(nil).map { String(cString: $0) } ?? "unknown" }
    public static var zlib: String { zlibVersion().map { String(cString: $0) } ?? "unknown" }
}
