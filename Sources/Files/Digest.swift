import COpenSSL
import Foundation

/// SHA-256 of `data`, as 64 lower-case hexadecimal digits.
public func sha256(_ data: Data) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 0
    let done = data.withUnsafeBytes { bytes in
        EVP_Digest(bytes.baseAddress, bytes.count, &digest, &length, EVP_sha256(), nil)
    }
    precondition(done == 1 && length == 32, "SHA-256 is not available in the OpenSSL found at run time")
    return hexadecimal(digest)
}

/// SHA-256 of the file's content, read a piece at a time.
/// - Throws: `InputError` where it cannot be read.
public func sha256(file url: URL) throws -> String {
    guard let file = try? FileHandle(forReadingFrom: url) else { throw InputError(file: url.path, "cannot be read") }
    defer { try? file.close() }
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    var done = EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
    while let piece = try file.read(upToCount: 1 << 22), !piece.isEmpty {
        done = piece.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) } == 1 && done
    }
    var digest = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 0
    done = EVP_DigestFinal_ex(context, &digest, &length) == 1 && done
    precondition(done && length == 32, "SHA-256 is not available in the OpenSSL found at run time")
    return hexadecimal(digest)
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
        let hex = String(byte, radix: 16)
        return byte < 16 ? "0" + hex : hex
    }.joined()
}
