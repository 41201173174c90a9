import COpenSSL

/// Version of the OpenSSL that digests are taken with, as found at run time.
public var openSSLVersion: String {
    OpenSSL_version(OPENSSL_VERSION_STRING).map { String(cString: $0) } ?? "unknown"
}
