import Files
import Foundation

/// What one look at every picture of a data set has found: a digest of its content, and what is wrong with it.
///
/// Looking means reading and decoding everything once, so what was found can be kept in a file: a picture whose path and
/// stamp (size and time, or checksum) are in it is not looked at again.
struct PictureSurvey {
    struct Finding: Sendable {
        /// Nil where the file could not be read.
        let digest: PictureDigest?
        /// Why it is no readable picture.
        let problem: String?

        /// Of a picture that was not looked at yet.
        static let none = Finding(digest: nil, problem: nil)
    }

    /// One for each path, in their order.
    let findings: [Finding]
    /// What was wrong with the file that kept the findings of last time; nil: nothing.
    let damage: String?
    private static let heading = "prologue picture survey 2"
    /// Without a checksum.
    private static let earlierHeading = "prologue picture survey 1"
    private static let checksum = "sha256\t"
    /// Pictures between two calls of `progress`, which may cancel.
    private static let block = 512

    /// - Parameters:
    ///   - kept: where the findings are kept; nil: nowhere.
    ///   - progress: is told how many pictures have been read; may throw to cancel.
    init(_ paths: [String], of files: any PictureFiles, kept: URL?, progress: (Int, Int) throws -> Void) throws {
        var known: Table?
        var damage: String?
        func notice(_ error: any Error) { damage = "\(error); pictures are looked at again" }
        do { if let kept { known = try Table(reading: kept) } } catch { notice(error) }
        var (findings, stamps, open): ([Finding], PackedTexts, [Int]) = ([], PackedTexts(), [])
        findings.reserveCapacity(paths.count)
        for (place, path) in paths.enumerated() {
            let stamp = try files.stamp(of: path)
            stamps.append(stamp)
            var found: Table.Line?
            do { found = try known?.line(of: path) } catch {
                notice(error)
                known = nil
            }
            let isKnown = found?.stamp == stamp
            findings.append(isKnown ? found?.finding ?? .none : .none)
            if !isKnown { open.append(place) }
        }
        known = nil
        for lower in stride(from: 0, to: open.count, by: Self.block) {
            let some = open[lower..<min(open.count, lower + Self.block)]
            let found = try concurrentMap(Array(some)) { try Self.look(paths[$0], files) }
            for (place, finding) in zip(some, found) { findings[place] = finding }
            try progress(lower + some.count, open.count)
        }
        self.damage = damage
        self.findings = findings
        // Kept for speed alone: where nothing can be written, pictures are read again next time.
        if let kept, !open.isEmpty || damage != nil { try? write(paths, stamps, to: kept) }
    }

    private static func look(_ path: String, _ files: any PictureFiles) throws -> Finding {
        let content: Data
        do { content = try files.content(of: path) } catch let error as InputError {
            return Finding(digest: nil, problem: error.message)
        }
        var problem: String?
        do { _ = try files.picture(path, content: content) } catch let error as InputError { problem = error.message }
        return Finding(digest: PictureDigest(sha256(content)), problem: problem)
    }

    /// The file of findings: a line for each picture with path, stamp, digest and problem, between tabs; at the end the checksum of all before it.
    ///
    /// Lines are read as they are asked for. They are usually asked for in their order; from the first that is not, the rest is held in memory.
    private struct Table {
        private let content: Data
        private var next, end: Int
        private let damage: InputError
        private var rest: [ExactName: Line]?

        struct Line {
            let path, stamp: String
            let finding: Finding
        }

        /// Nil where there is no such file.
        init?(reading url: URL) throws {
            guard try isPresent(url) else { return nil }
            do { content = try Data(contentsOf: url, options: .alwaysMapped) } catch {
                throw InputError(file: url.path, cannot: "read", because: error)
            }
            damage = InputError(file: url.path, isDamage: true, "is damaged: its content does not match its checksum")
            guard let newline = content.firstIndex(of: UInt8(ascii: "\n")) else { throw damage }
            (next, end) = (newline + 1, content.endIndex)
            if content[..<newline].elementsEqual(heading.utf8) {
                let length = checksum.utf8.count + 65
                let text = content.dropLast(length)
                guard content.suffix(length).elementsEqual((checksum + sha256(text) + "\n").utf8) else { throw damage }
                end = text.endIndex
            } else if !content[..<newline].elementsEqual(earlierHeading.utf8) {
                throw damage
            }
        }

        /// Nil where no picture of this path was looked at.
        mutating func line(of path: String) throws -> Line? {
            if let rest { return rest[ExactName(path)] }
            guard let line = try takeLine() else { return nil }
            if ExactName(line.path) == ExactName(path) { return line }
            var rest = [ExactName(line.path): line]
            while let line = try takeLine() { rest[ExactName(line.path)] = line }
            self.rest = rest
            return rest[ExactName(path)]
        }

        private mutating func takeLine() throws -> Line? {
            guard next < end else { return nil }
            // By bytes: an accent at the start of a name would join the tab or the newline before it.
            let line = content[next..<(content[next..<end].firstIndex(of: UInt8(ascii: "\n")) ?? end)]
            next = line.endIndex + 1
            let parts = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard parts.count == 4 else { throw damage }
            let (digest, problem) = (PictureDigest(parts[2]), parts[3].isEmpty ? nil : parts[3])
            guard digest != nil || problem != nil else { throw damage }
            return Line(path: parts[0], stamp: parts[1], finding: Finding(digest: digest, problem: problem))
        }
    }

    private static func breaks(_ scalar: Unicode.Scalar) -> Bool { scalar == "\t" || scalar == "\n" }

    private func write(_ paths: [String], _ stamps: PackedTexts, to url: URL) throws {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try AtomicFile.replace(url) { aside in
            guard FileManager.default.createFile(atPath: aside.path, contents: nil) else {
                throw InputError(file: url.path, cannot: "write")
            }
            let file = try FileHandle(forWritingTo: aside)
            defer { try? file.close() }
            var text = Data((Self.heading + "\n").utf8)
            for (place, path) in paths.enumerated() where !path.unicodeScalars.contains(where: Self.breaks) {
                // A path that would break the table is looked at anew each time.
                let found = findings[place]
                let problem = String(String.UnicodeScalarView((found.problem ?? "").unicodeScalars.map { Self.breaks($0) ? " " : $0 }))
                text.append(contentsOf: "\(path)\t\(stamps[place])\t\(found.digest?.text ?? "")\t\(problem)\n".utf8)
                if text.count > 1 << 20 {
                    try file.write(contentsOf: text)
                    text.removeAll(keepingCapacity: true)
                }
            }
            try file.write(contentsOf: text)
            try file.write(contentsOf: Data((Self.checksum + sha256(file: aside) + "\n").utf8))
        }
    }
}

/// SHA-256 of a picture's file, in a quarter of the memory that its digits take: there may be a million.
struct PictureDigest: Sendable, Equatable {
    private let words: SIMD4<UInt64>

    /// Nil where `text` is not 64 hexadecimal digits.
    init?(_ text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 64 else { return nil }
        var words = SIMD4<UInt64>()
        for word in 0..<4 {
            guard let value = UInt64(String(decoding: digits[16 * word..<16 * word + 16], as: UTF8.self), radix: 16) else { return nil }
            words[word] = value
        }
        self.words = words
        guard self.text == text else { return nil }
    }

    /// 64 lower-case hexadecimal digits.
    var text: String {
        (0..<4).map { word in
            let digits = String(words[word], radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }
}

/// `body` of every element, on all cores; the first error in order is thrown.
func concurrentMap<Element: Sendable, Result: Sendable>(
    _ elements: [Element], _ body: @Sendable (Element) throws -> Result
) throws -> [Result] {
    var results = [Swift.Result<Result, any Error>?](repeating: nil, count: elements.count)
    results.withUnsafeMutableBufferPointer { results in
        // Each call writes its own place.
        nonisolated(unsafe) let results = results
        DispatchQueue.concurrentPerform(iterations: elements.count) { i in
            results[i] = Swift.Result { try body(elements[i]) }
        }
    }
    return try results.compactMap { try $0?.get() }
}
