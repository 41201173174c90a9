import Files
import Foundation

/// What one look at every picture of a data set has found: a digest of its content, and what is wrong with it.
///
/// Looking means reading and decoding everything once, so what was found can be kept in a file: a picture whose path and
/// stamp (size and time, or checksum) are in it is not looked at again.
struct PictureSurvey {
    struct Finding: Sendable {
        let stamp, digest: String
        /// Why it is no readable picture.
        let problem: String?
    }

    private(set) var findings: [ExactName: Finding] = [:]
    /// What was wrong with the file that kept the findings of last time; nil: nothing.
    private(set) var damage: String?
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
        var known: [ExactName: Finding] = [:]
        do { if let kept { known = try Self.read(kept) } } catch { damage = "\(error); every picture is looked at again" }
        var open: [(path: String, stamp: String)] = []
        for path in paths {
            let (name, stamp) = (ExactName(path), try files.stamp(of: path))
            if let found = known[name], found.stamp == stamp { findings[name] = found } else { open.append((path, stamp)) }
        }
        for lower in stride(from: 0, to: open.count, by: Self.block) {
            let some = open[lower..<min(open.count, lower + Self.block)]
            let found = try concurrentMap(Array(some)) { path, stamp in try Self.look(path, stamp, files) }
            for (entry, finding) in zip(some, found) { findings[ExactName(entry.path)] = finding }
            try progress(lower + some.count, open.count)
        }
        // Kept for speed alone: where nothing can be written, pictures are read again next time.
        if let kept, !open.isEmpty || damage != nil { try? write(paths, to: kept) }
    }

    private static func look(_ path: String, _ stamp: String, _ files: any PictureFiles) throws -> Finding {
        let content: Data
        do { content = try files.content(of: path) } catch let error as InputError {
            return Finding(stamp: stamp, digest: "", problem: error.message)
        }
        var problem: String?
        do { _ = try files.picture(path, content: content) } catch let error as InputError { problem = error.message }
        return Finding(stamp: stamp, digest: sha256(content), problem: problem)
    }

    /// A line each: path, stamp, digest and problem, between tabs; at the end the checksum of all before it.
    private static func read(_ url: URL) throws -> [ExactName: Finding] {
        guard try isPresent(url) else { return [:] }
        let content: Data
        do { content = try Data(contentsOf: url) } catch { throw InputError(file: url.path, cannot: "read", because: error) }
        let damage = InputError(file: url.path, isDamage: true, "is damaged: its content does not match its checksum")
        // By bytes: an accent at the start of a name would join the tab or the newline before it.
        var lines = content.split(separator: UInt8(ascii: "\n"))
        if lines.first?.elementsEqual(heading.utf8) == true {
            let length = checksum.utf8.count + 65
            let text = content.dropLast(length)
            guard content.suffix(length).elementsEqual((checksum + sha256(text) + "\n").utf8) else { throw damage }
            lines.removeLast()
        } else if lines.first?.elementsEqual(earlierHeading.utf8) != true {
            throw damage
        }
        var known: [ExactName: Finding] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard parts.count == 4 else { throw damage }
            known[ExactName(parts[0])] = Finding(stamp: parts[1], digest: parts[2], problem: parts[3].isEmpty ? nil : parts[3])
        }
        return known
    }

    private static func breaks(_ scalar: Unicode.Scalar) -> Bool { scalar == "\t" || scalar == "\n" }

    private func write(_ paths: [String], to url: URL) throws {
        var text = Self.heading + "\n"
        for path in paths {
            // A path that would break the table is looked at anew each time.
            guard let found = findings[ExactName(path)], !path.unicodeScalars.contains(where: Self.breaks) else { continue }
            let problem = String(String.UnicodeScalarView((found.problem ?? "").unicodeScalars.map { Self.breaks($0) ? " " : $0 }))
            text += "\(path)\t\(found.stamp)\t\(found.digest)\t\(problem)\n"
        }
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        text += Self.checksum + sha256(Data(text.utf8)) + "\n"
        try AtomicFile.write(Data(text.utf8), to: url)
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
