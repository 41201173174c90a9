internal import CHDF5
import Files
import Foundation

/// One row of a metrics file: what a training loop measured at a step.
public struct MetricsRow: Equatable, Sendable {
    public var step: Int
    /// Seconds of training so far, those before a resume included.
    public var wallSeconds: Double
    /// By column; a column without a value at this step reads as NaN.
    public var values: [String: Float]

    public init(step: Int, wallSeconds: Double, values: [String: Float]) {
        self.step = step
        self.wallSeconds = wallSeconds
        self.values = values
    }
}

/// The content of a metrics file, column by column.
public struct MetricsTable: Sendable {
    public var steps: [Int64]
    public var wallSeconds: [Double]
    public var columns: [String]
    public var values: [String: [Float]]
}

/// Per-step series that grow while others read them.
///
/// Layout: at the root one 1-D extendible dataset per column, all of the same length: `step` (int64), `wall_seconds`
/// (float64, attribute `units` = "s") and one float32 dataset per named column; the root attribute `columns` lists
/// the named ones in order. `step` is extended last, so rows `0 ..< len(step)` are complete in every column at any
/// moment. The file is written in HDF5's single-writer-multiple-reader mode: `h5py.File(path, swmr=True)` opens it
/// while training runs, and what was appended survives `kill -9`.
///
/// A killed writer leaves the file marked as open for writing. `resume` therefore reads the old file the way a
/// concurrent reader does and puts a fresh one in its place, instead of trusting the old one's bookkeeping.
///
/// Where other hosts work on the file system as well, that mode does not work: readers there may see parts of what was written, in
/// any order. The rows are then kept in memory, and the file is replaced by a whole new one when they are synced, before each checkpoint, and from time to
/// time besides. A process that is killed loses rows of steps that it has to do again anyway.
public final class MetricsFile {
    public let url: URL
    /// The named columns, in order.
    public let columns: [String]
    /// The last complete row's step and time, or nil in an empty file.
    public private(set) var last: (step: Int, wallSeconds: Double)?

    /// The file that rows are appended to; nil where it is replaced as a whole.
    private let file: HDF5File?
    private var rowCount: Int
    /// All rows, where the file is replaced as a whole.
    private var rows: MetricsTable
    private var unpublished = 0
    private var nextPublication = ContinuousClock.now + leastPause

    /// Between two replacements of the file by themselves, and how much of the time they may take at the most.
    private static let (leastPause, share) = (Duration.seconds(15), 0.02)

    private static let stepColumn = "step"
    private static let timeColumn = "wall_seconds"
    /// Rows a chunk: 4 KiB of floats.
    private static let chunkRows = 1024

    /// Starts a new file at `url`, replacing an earlier one.
    ///
    /// - Parameter columns: the named columns; `step` and `wall_seconds` come by themselves. Fixed from here on.
    public static func create(at url: URL, columns: [String]) throws -> MetricsFile {
        let rows = MetricsTable(
            steps: [], wallSeconds: [], columns: columns,
            values: Dictionary(uniqueKeysWithValues: columns.map { ($0, []) }))
        return try MetricsFile(replacing: url, with: rows)
    }

    /// Goes on with the file at `url`, whether its writer closed it or was killed, keeping the rows up to `step`.
    /// Where there is no file, an empty one is started.
    ///
    /// A column that the file does not have, as one of an earlier version, was not measured before: it reads as NaN.
    ///
    /// Throws an `InputError` if the file is damaged or cannot be read.
    public static func resume(at url: URL, through step: Int, columns: [String]) throws -> MetricsFile {
        guard try isPresent(url) else { return try create(at: url, columns: columns) }
        try OpenMark.clear(url)
        var table = try read(url)
        let kept = table.steps.firstIndex { $0 > step } ?? table.steps.count
        table.steps.removeSubrange(kept...)
        table.wallSeconds.removeSubrange(kept...)
        table.columns = columns
        for column in columns {
            table.values[column] = table.values[column].map { Array($0.prefix(kept)) } ?? Array(repeating: .nan, count: kept)
        }
        return try MetricsFile(replacing: url, with: table)
    }

    /// The complete rows of the file at `url`, which may be open in a writer or left behind by a killed one.
    public static func read(_ url: URL) throws -> MetricsTable {
        let file = try HDF5File(reading: url, whileWritten: true)
        guard let columns = try file.attribute("columns")?.stringsValue else {
            throw InputError(file: url.path, isDamage: true, "is not a metrics file: it has no attribute 'columns'")
        }
        guard Set(columns).count == columns.count else {
            throw InputError(file: url.path, "has two columns of one name: \(columns)")
        }
        let steps: [Int64] = try column(stepColumn, in: file)
        let rows = 0..<steps.count
        return MetricsTable(
            steps: steps, wallSeconds: try column(timeColumn, rows, in: file), columns: columns,
            values: try Dictionary(uniqueKeysWithValues: columns.map { ($0, try column($0, rows, in: file)) }))
    }

    /// Rows of a column, nil: all that there are.
    private static func column<Element: HDF5Element>(
        _ path: String, _ rows: Range<Int>? = nil, in file: HDF5File
    ) throws -> [Element] {
        let array: HDF5Array<Element> = try rows.map { try file.read(rows: $0, of: path) } ?? file.read(path)
        guard array.shape.count == 1 else {
            throw InputError(file: file.name, "column '\(path)' has shape \(array.shape); expected [steps]")
        }
        return array.values
    }

    /// Writes `table` beside `url`, switches to concurrent reading and only then renames it into place: no reader
    /// ever finds a file here that it cannot open.
    private init(replacing url: URL, with table: MetricsTable) throws {
        precondition(
            Set(table.columns + [Self.stepColumn, Self.timeColumn]).count == table.columns.count + 2,
            "columns must differ from one another and from 'step' and 'wall_seconds': \(table.columns)")
        let isShared = FileSystem(ofStore: url).isShared
        var opened: HDF5File?
        try AtomicFile.replace(url) { aside in
            let file = try Self.write(table, to: aside, called: url.path)
            if isShared { return try Self.finish(file) }
            try file.flush()
            try HDF5Library.call(url.path, "start concurrent reading") { H5Fstart_swmr_write(file.handle.value) }
            opened = file
        }
        self.url = url
        columns = table.columns
        rowCount = table.steps.count
        rows = isShared ? table : MetricsTable(steps: [], wallSeconds: [], columns: table.columns, values: [:])
        last = table.steps.last.flatMap { step in table.wallSeconds.last.map { (Int(step), $0) } }
        file = opened
    }

    private static func write(_ table: MetricsTable, to aside: URL, called name: String) throws -> HDF5File {
        let file = try HDF5File(creating: aside, called: name)
        do {
            try file.setAttribute("columns", .strings(table.columns))
            try makeColumn(stepColumn, table.steps, in: file)
            try makeColumn(timeColumn, table.wallSeconds, in: file, units: "s")
            for column in table.columns { try makeColumn(column, table.values[column] ?? [], in: file) }
        } catch {
            file.abandon()
            throw error
        }
        return file
    }

    private static func makeColumn<Element: HDF5Element>(
        _ path: String, _ values: [Element], in file: HDF5File, units: String? = nil
    ) throws {
        _ = try file.createDataset(
            path, kind: Element.hdf5Kind, shape: [0], chunk: [chunkRows], deflated: false, extendible: true)
        if let units { try file.setAttribute("units", .string(units), on: path) }
        try extend(path, from: 0, by: values, in: file)
    }

    /// Appends rows and hands them to the operating system. Steps must increase.
    public func append(_ rows: [MetricsRow]) throws {
        guard let newest = rows.last else { return }
        var previous = last?.step ?? Int.min
        for row in rows {
            precondition(row.step > previous, "metrics steps must increase: \(row.step) after \(previous)")
            let unknown = row.values.keys.filter { !columns.contains($0) }
            precondition(unknown.isEmpty, "no metrics column \(unknown.sorted()); there are \(columns)")
            previous = row.step
        }
        if let file { try append(rows, to: file) } else { try keep(rows) }
        rowCount += rows.count
        last = (newest.step, newest.wallSeconds)
    }

    /// Appends one row.
    public func append(step: Int, wallSeconds: Double, _ values: [String: Float]) throws {
        try append([MetricsRow(step: step, wallSeconds: wallSeconds, values: values)])
    }

    private static func finish(_ file: HDF5File) throws {
        do { try file.close() } catch {
            file.abandon()
            throw error
        }
    }

    private func append(_ rows: [MetricsRow], to file: HDF5File) throws {
        do {
            try Self.extend(Self.timeColumn, from: rowCount, by: rows.map(\.wallSeconds), in: file)
            for column in columns {
                try Self.extend(column, from: rowCount, by: rows.map { $0.values[column] ?? .nan }, in: file)
            }
            try Self.extend(Self.stepColumn, from: rowCount, by: rows.map { Int64($0.step) }, in: file)
        } catch {
            file.abandon()
            throw error
        }
    }

    private func keep(_ new: [MetricsRow]) throws {
        rows.steps += new.map { Int64($0.step) }
        rows.wallSeconds += new.map(\.wallSeconds)
        for column in columns { rows.values[column, default: []] += new.map { $0.values[column] ?? .nan } }
        unpublished += new.count
        if .now >= nextPublication { try publish() }
    }

    /// Puts a file with all rows in place.
    private func publish() throws {
        guard unpublished > 0 else { return }
        let start = ContinuousClock.now
        try AtomicFile.replace(url) { aside in try Self.finish(Self.write(rows, to: aside, called: url.path)) }
        unpublished = 0
        nextPublication = .now + max(Self.leastPause, (.now - start) / Self.share)
    }

    /// Waits until everything appended is on the disk. Call before writing a checkpoint, so that a power failure
    /// cannot leave a checkpoint whose metrics are missing.
    public func sync() throws {
        guard let file else { return try publish() }
        try file.flush()
        let descriptor = open(url.path, O_RDONLY)
        guard descriptor >= 0 else { throw InputError(file: url.path, cannot: "sync") }
        defer { Foundation.close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw InputError(file: url.path, cannot: "sync")
        }
    }

    /// Closes the file; nothing can be appended afterwards.
    public func close() throws {
        if let file { try file.close() } else { try publish() }
    }

    private static func extend<Element: HDF5Element>(
        _ path: String, from start: Int, by values: [Element], in file: HDF5File
    ) throws {
        if values.isEmpty { return }
        let dataset = try file.openDataset(path, as: Element.hdf5Kind)
        try HDF5Library.call(file.name, "extend dataset '\(path)'") {
            H5Dset_extent(dataset.value, [hsize_t(start + values.count)])
        }
        let selection = try file.select(rows: start..<start + values.count, of: dataset, path)
        try HDF5Library.call(file.name, "append to dataset '\(path)'") { () -> herr_t in
            let memory = H5Screate_simple(1, [hsize_t(values.count)], nil)
            defer { H5Sclose(memory) }
            let status = values.withUnsafeBufferPointer {
                H5Dwrite(
                    dataset.value, Element.hdf5Kind.nativeType, memory, selection.value, h5_default(), $0.baseAddress)
            }
            return status < 0 ? status : H5Dflush(dataset.value)
        }
    }
}
