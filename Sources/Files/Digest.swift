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
    return digest.map { byte in
        let hex = String(byte, radix: 16)
        return byte < 16 ? "0" + hex : hex
    }.joined()
}
