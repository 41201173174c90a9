import Files
import Foundation

/// What a stage that does not train has made so far: files of rows, kept from time to time and when it is told to stop, which go when the
/// stage is complete. Whoever goes on with the stage makes the rest.
public struct KeptParts {
    private let work: StageWork
    private let name: String
    private let device: String
    /// Rows that are kept.
    public private(set) var end = 0
    private var last = ContinuousClock.now

    /// Between two parts: so much work a kill costs at the most, beside the batch that is being made.
    private static let pause = Duration.seconds(30)

    private static let (deviceKey, ownKernels) = ("device", "cpu")

    /// - Parameters:
    ///   - name: what the files' names begin with.
    ///   - device: where the work is done; nil: on this program's own kernels.
    public init(_ work: StageWork, named name: String, on device: String? = nil) {
        (self.work, self.name, self.device) = (work, name, device ?? Self.ownKernels)
    }

    /// Hands over the parts that an earlier process has kept, in order. A damaged one is made again, and so are those behind it.
    public mutating func restore(_ take: (HDF5File) throws -> Void) throws {
        var moved = ""
        for (part, file) in try found().sorted(by: { $0.part.lowerBound < $1.part.lowerBound }) {
            guard part.lowerBound == end else {
                unlink(work.url(file).path)
                continue
            }
            do {
                let kept = try HDF5File(reading: work.url(file))
                try take(kept)
                end = part.upperBound
                let other = try kept.attribute(Self.deviceKey)?.stringValue ?? device
                if other != device { moved = ", made on \(other), on \(device): equal to rounding only" }
                work.discardWhenComplete(file)
            } catch let error as InputError where error.isDamage {
                try work.log("made again: \(error)")
                unlink(work.url(file).path)
            }
        }
        if end > 0 { try work.log("going on at \(end)\(moved)") }
    }

    /// Hands over all parts that are kept, in order.
    public func forEach(_ body: (_ part: Range<Int>, _ file: HDF5File) throws -> Void) throws {
        for (part, file) in try found().sorted(by: { $0.part.lowerBound < $1.part.lowerBound }) where part.upperBound <= end {
            let kept = try HDF5File(reading: work.url(file))
            try body(part, kept)
            try kept.close()
        }
    }

    /// Whether it is time to keep what has been made since the last part.
    public var isDue: Bool { .now - last >= Self.pause }

    /// Keeps what has been made since the last part.
    ///
    /// - Parameter rows: what is made by now.
    public mutating func keep(through rows: Int, _ write: (_ part: Range<Int>, _ file: HDF5File) throws -> Void) throws {
        guard rows > end else { return }
        let part = end..<rows
        let file = "\(name)-\(part.lowerBound)-\(part.upperBound).h5"
        try HDF5File.write(atomicallyTo: work.url(file)) { file in
            try write(part, file)
            try file.setAttribute(Self.deviceKey, .string(device))
        }
        work.discardWhenComplete(file)
        (end, last) = (rows, .now)
    }

    /// Makes what is missing of `count` rows in parts of `size`, each kept as soon as it is made: for work whose last digits depend on which
    /// rows are made together.
    public mutating func fill(_ count: Int, size: Int, _ make: (_ part: Range<Int>, _ file: HDF5File) throws -> Void) throws {
        precondition(size > 0, "parts of \(size)")
        try restore { _ in }
        while end < count { try keep(through: min(count, end + size), make) }
    }

    private func found() throws -> [(part: Range<Int>, file: String)] {
        try RecordFile.names(in: work.stage.directory).compactMap { file in
            guard let match = file.wholeMatch(of: /(.+)-(\d+)-(\d+)\.h5/), String(match.1) == name, let lower = Int(match.2),
                let upper = Int(match.3), lower < upper
            else { return nil }
            return (lower..<upper, file)
        }
    }
}
