import CZlib
import Files
import Foundation

enum Gzip {
    /// The content of gzip `data` (one member or several), which is at most `FileContent.mostBytes`.
    /// - Throws: `InputError` naming `file`, the byte at which it breaks off or is damaged, and zlib's reason.
    static func decompress(_ data: Data, file: String) throws -> [UInt8] {
        precondition(data.count <= FileContent.mostBytes, "\(data.count) bytes of gzip data")
        var stream = z_stream()
        let gzipOnly = MAX_WBITS + 16
        guard inflateInit2_(&stream, gzipOnly, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw InputError(file: file, "zlib cannot start")
        }
        defer { inflateEnd(&stream) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var input = [UInt8](data)
        let inputCount = input.count
        try input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(inputCount)
            var status = Z_OK
            repeat {
                if status == Z_STREAM_END { inflateReset(&stream) }
                let produced = chunk.withUnsafeMutableBufferPointer { chunk in
                    stream.next_out = chunk.baseAddress
                    stream.avail_out = UInt32(chunk.count)
                    status = inflate(&stream, Z_NO_FLUSH)
                    return chunk.count - Int(stream.avail_out)
                }
                content.append(contentsOf: chunk[..<produced])
                guard content.count <= FileContent.mostBytes else {
                    throw InputError(file: file, "unfolds to more than the \(FileContent.mostBytes) bytes that are read")
                }
                let position = inputCount - Int(stream.avail_in)
                if status == Z_BUF_ERROR || (status == Z_OK && stream.avail_in == 0 && produced == 0) {
                    throw InputError(
                        file: file,
                        "the gzip data breaks off at byte \(position), after \(content.count) bytes of content: truncated")
                }
                guard status == Z_OK || status == Z_STREAM_END else {
                    let reason = stream.msg.map { String(cString: $0) } ?? "zlib error \(status)"
                    throw InputError(
                        file: file,
                        "the gzip data is damaged at or before byte \(position), after \(content.count) bytes of content: \(reason)")
                }
            } while status != Z_STREAM_END || stream.avail_in > 0
        }
        return content
    }
}
