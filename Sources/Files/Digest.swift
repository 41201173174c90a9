import COpenSSL
import Foundation

/// SHA-256 of `data`, as 64 lower-case hexadecimal digits.
public func sha256(_ data: Data) -> String { data.withUnsafeBytes { sha256($0) } }

/// SHA-256 of bytes where they lie.
public func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
    var digest = SHA256Digest()
    digest.update(bytes)
    return digest.finish()
}

/// SHA-256 of `lines` with a line break between each two, without all of them being held together.
public func sha256(lines: some Sequence<String>) -> String {
    var digest = SHA256Digest()
    var isFirst = true
    for line in lines {
        Data((isFirst ? line : "\n" + line).utf8).withUnsafeBytes { digest.update($0) }
        isFirst = false
    }
    return digest.finish()
}

/// SHA-256 of a file's content, read a piece at a time.
///
/// - Parameters:
///   - count: how many bytes from the beginning; nil for all of them.
///   - head: what stands for as many bytes at the beginning.
/// - Throws: `InputError` where it cannot be read, or ends before that.
public func sha256(file url: URL, first count: Int? = nil, head: Data = Data()) throws -> String {
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw InputError(file: url.path, cannot: "open") }
    defer { close(descriptor) }
    var digest = SHA256Digest()
    head.withUnsafeBytes { digest.update($0) }
    lseek(descriptor, off_t(head.count), SEEK_SET)
    var left = (count ?? Int.max) - head.count
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: min(left, 1 << 20), alignment: 64)
    defer { piece.deallocate() }
    while left > 0 {
        let got = read(descriptor, piece.baseAddress, min(left, piece.count))
        if got < 0, errno == EINTR { continue }
        guard got >= 0 else { throw InputError(file: url.path, cannot: "read") }
        if got == 0 { break }
        digest.update(UnsafeRawBufferPointer(rebasing: piece[..<got]))
        left -= got
    }
    guard count == nil || left == 0 else { throw InputError(file: url.path, isDamage: true, "is cut short") }
    return digest.finish()
}

/// SHA-256 of bytes that come in pieces.
private struct SHA256Digest: ~Copyable {
    private let context = EVP_MD_CTX_new()
    private var isSound: Bool

    init() { isSound = EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        isSound = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 && isSound
    }

    mutating func finish() -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        isSound = EVP_DigestFinal_ex(context, &bytes, &length) == 1 && isSound
        precondition(isSound && length == 32, "SHA-256 is not available in the OpenSSL found at run time")
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    deinit { EVP_MD_CTX_free(context) }
}

/// Version of the OpenSSL that digests are taken with, as found at run time.
public var openSSLVersion: String {
    OpenSSL_version(OPENSSL_VERSION_STRING).map { String(cString: $0) } ?? "unknown"
}
