import Files
import Foundation
import RunStore

/// A TensorBoard event file in memory: scalars by tag and step.
///
/// The file is a TFRecord file: each record is its length (uint64), the masked CRC-32C of the length, the bytes, and the
/// masked CRC-32C of the bytes, all little-endian. A record is an `Event` protocol buffer: wall time (field 1, double),
/// step (2, varint), file version (3, text) or summary (5); a summary's values (1) have a tag (1) and a number (2, float).
public struct TensorBoardEvents {
    public private(set) var data = Data()

    public init(startedAt date: Date) {
        append(event(date, step: 0, Self.field(3, bytes: Array("brain.Event:2".utf8))))
    }

    /// Numbers measured at one step.
    ///
    /// - Parameter values: tags with their numbers.
    public mutating func add(_ values: [(String, Float)], step: Int, at date: Date) {
        let summary = values.flatMap { tag, value in
            Self.field(1, bytes: Self.field(1, bytes: Array(tag.utf8)) + [2 << 3 | 5] + Self.bytes(of: value.bitPattern))
        }
        append(event(date, step: step, Self.field(5, bytes: summary)))
    }

    private func event(_ date: Date, step: Int, _ content: [UInt8]) -> [UInt8] {
        [1 << 3 | 1] + Self.bytes(of: date.timeIntervalSince1970.bitPattern)
            + [2 << 3] + Self.varint(UInt64(bitPattern: Int64(step))) + content
    }

    private mutating func append(_ record: [UInt8]) {
        let length = Self.bytes(of: UInt64(record.count))
        data += length + Self.bytes(of: Self.masked(length)) + record + Self.bytes(of: Self.masked(record))
    }

    /// Rotated and offset, so that a checksum of data that holds checksums is not a trivial one.
    private static func masked(_ bytes: [UInt8]) -> UInt32 {
        let crc = CRC32C.checksum(bytes)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }

    private static func field(_ number: UInt8, bytes: [UInt8]) -> [UInt8] {
        [number << 3 | 2] + varint(UInt64(bytes.count)) + bytes
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var (value, bytes) = (value, [UInt8]())
        while value >= 0x80 {
            bytes.append(UInt8(value & 0x7F | 0x80))
            value >>= 7
        }
        return bytes + [UInt8(value)]
    }

    private static func bytes(of value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}

extension Store {
    /// Writes what a run measured for TensorBoard: `folder/<run>/<role>/events.out.tfevents.…`, one file for each stage
    /// that trained, its columns as scalars at their steps; and `folder/<run>/scores/…`, the scores at step 0. Files of
    /// an earlier export are replaced. A value that was not measured at a step, or is not finite, is left out.
    ///
    /// - Returns: the files written.
    /// - Throws: `InputError` where the run is missing or a metrics file is damaged.
    public func exportTensorBoard(run id: String, to folder: URL) throws -> [URL] {
        let run = try run(id)
        var files: [URL] = []
        func write(_ events: TensorBoardEvents, _ part: String) throws {
            let target = folder.appendingPathComponent(id).appendingPathComponent(part)
            do {
                try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
            } catch {
                throw InputError(file: target.path, cannot: "make this folder", because: error)
            }
            // The same name each time, so that an export that is repeated does not show everything twice.
            let file = target.appendingPathComponent(
                "events.out.tfevents.\(Int(run.created.timeIntervalSince1970)).prologue")
            try AtomicFile.write(events.data, to: file)
            files.append(file)
        }
        var scores: [(String, Float)] = []
        for (role, stageID) in run.stages.sorted(by: { $0.key < $1.key }) {
            let stage = stage(id: stageID)
            for measured in try stage.measurements().values {
                scores += measured.values.compactMap { name, value in value.map { (name, Float($0)) } }
            }
            guard try isPresent(stage.url("metrics.h5")) else { continue }
            let table = try MetricsFile.read(stage.verified("metrics.h5"))
            let start = try stage.record?.started ?? run.created
            var events = TensorBoardEvents(startedAt: start)
            for (row, step) in table.steps.enumerated() {
                let values = table.columns.compactMap { column in
                    table.values[column].map { ("\(role)/\(column)", $0[row]) }
                }.filter { $0.1.isFinite }
                events.add(values, step: Int(step), at: start.addingTimeInterval(table.wallSeconds[row]))
            }
            try write(events, role)
        }
        if !scores.isEmpty {
            var events = TensorBoardEvents(startedAt: run.created)
            events.add(scores.sorted { $0.0 < $1.0 }.map { ("scores/\($0.0)", $0.1) }, step: 0, at: run.created)
            try write(events, "scores")
        }
        return files
    }
}
