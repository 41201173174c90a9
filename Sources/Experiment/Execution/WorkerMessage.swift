import Files
import Foundation
import RunStore

/// What is sent to a worker, a line of JSON each: a stage to make, and the settings of a run that it is a stage of.
struct WorkerOrder: Codable {
    let stage: String
    let config: JSONValue
    /// As in `StageJob`.
    let takesOver: StageOwner?
}

/// What a worker has to say, a line of JSON each.
enum WorkerMessage: Codable {
    case note(String)
    case progress(Progress)
    case finish
    case ended(StageOutcome)

    /// `StageProgress` for sending.
    struct Progress: Codable {
        let stage: String
        let step, steps: Int
        let rate: Double?
        let names: [String]
        let values: [Double]

        init(_ progress: StageProgress) {
            (stage, step, steps, rate) = (progress.stage, progress.step, progress.steps, progress.rate)
            names = progress.values.map(\.name)
            values = progress.values.map(\.value)
        }

        func received(lane: Int) -> StageProgress {
            StageProgress(
                stage: stage, step: step, steps: steps, rate: rate,
                values: zip(names, values).map { (name: $0, value: $1) }, lane: lane)
        }
    }
}

/// Messages as lines, over pipes between a coordinator and its workers.
enum MessageLine {
    static func encode(_ message: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return try encoder.encode(message) + [UInt8(ascii: "\n")]
    }

    static func decode<Message: Decodable>(_ line: Data, as type: Message.Type = Message.self) throws -> Message {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return try decoder.decode(type, from: line)
    }

    /// Writes all of it; false where the reader is gone.
    static func write(_ data: Data, to descriptor: Int32) -> Bool {
        data.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return false }
                done += count
            }
            return true
        }
    }
}

/// Lines out of a stream of bytes.
struct LineBuffer {
    private var rest = Data()

    mutating func append(_ bytes: Data) -> [Data] {
        rest += bytes
        var lines: [Data] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(rest[rest.startIndex..<end])
            rest = Data(rest[(end + 1)...])
        }
        return lines
    }
}
