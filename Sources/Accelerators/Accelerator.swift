import Files
import Foundation
import PJRT
import StableHLO
import TensorCore

/// The device that programs run on, or several that share a batch.
///
/// ```swift
/// let accelerator = try Accelerator(named: nil)
/// let program = try accelerator.compile(traced)
/// let outputs = try program.run(["x": accelerator.copy(x)])
/// let y = try outputs.tensor("y")
/// ```
public final class Accelerator {
    public let client: Client
    /// Those that share batches; programs that are not shared out run on the first.
    public let devices: [Device]
    /// How they share them.
    public let replicas: Replicas
    /// Folder that compiled programs are kept in, if they are.
    public var programs: URL?
    /// Told what a user should know of how programs were compiled, a sentence at a time.
    public var note: (String) -> Void = { _ in }
    /// Those that this process has made or loaded, by their keys.
    private var executables: [String: LoadedExecutable] = [:]

    /// - Parameters:
    ///   - chosen: which of the client's devices.
    ///   - shardsState: whether each keeps a part of what optimisers hold.
    public init(_ client: Client, _ chosen: DeviceNumbers = .first, shardsState: Bool = false) throws {
        self.client = client
        devices = try chosen.among(client)
        replicas = Replicas(devices.count, shardsState: shardsState)
    }

    public var device: Device { devices[0] }

    /// What records say of it: platform, kind of device and how many, version of the interface.
    public var description: String {
        let count = devices.count == 1 ? "" : " × \(devices.count)" + (replicas.shardsState ? " sharded" : "")
        return "xla:\(client.platform), \(device.kind)\(count), PJRT \(client.plugin.version.major).\(client.plugin.version.minor)"
    }

    /// Rows of a batch that each device has.
    ///
    /// - Parameters:
    ///   - section: of the settings that say how many rows a batch has, and a part of it, for the error where devices cannot have
    ///     equally many.
    ///   - microBatch: rows that a device computes at a time, where it has more.
    @discardableResult
    public func share(of batch: Int, microBatch: Int? = nil, _ section: String) throws -> Int {
        guard batch % devices.count == 0 else {
            let lower = batch / devices.count * devices.count
            let near = lower > 0 ? "\(lower) or \(lower + devices.count)" : "\(devices.count)"
            throw InputError(
                "\(section).batch: a batch of \(batch) cannot be shared out equally to \(devices.count) devices; the nearest that can: \(near)"
            )
        }
        let share = batch / devices.count
        if let microBatch, microBatch < share, share % microBatch != 0 {
            throw InputError(
                "\(section).micro_batch: parts of \(microBatch) do not make up the \(share) of each of \(devices.count) devices; "
                    + "the nearest that do: \(Self.nearestDivisor(of: share, to: microBatch))")
        }
        return share
    }

    private static func nearestDivisor(of number: Int, to wanted: Int) -> Int {
        (1...number).filter { number % $0 == 0 }.min { abs($0 - wanted) < abs($1 - wanted) } ?? 1
    }

    /// Compiles a program, or takes it from the folder of kept ones. Where the plugin refuses the form that its platform has of its own,
    /// such as attention by cuDNN, the plain one is taken, and that is noted.
    ///
    /// - Throws: `ProgramError` with the program's text where the plugin refuses it.
    public func compile(_ program: TracedProgram) throws -> CompiledProgram {
        require(
            program.replicas == 1 || program.replicas == devices.count,
            "the program '\(program.name)' is for \(program.replicas) devices, not for \(devices.count)")
        let ids = devices.prefix(program.replicas).map(\.id)
        // Those that are counted first are the plugin's own choice.
        let options = CompileOptions(
            replicas: program.replicas, devices: ids == Array(0..<ids.count) ? nil : ids, overrides: compilerOptions(for: client.platform))
        func compiled(_ text: String) throws -> CompiledProgram {
            let key = key(of: text, on: ids)
            let executable = try executables[key] ?? executable(program.name, text, options, key)
            executables[key] = executable
            return CompiledProgram(program, text: text, executable, on: device)
        }
        let texts = program.texts(for: client.platform)
        do { return try compiled(texts[0]) } catch let refusal as ProgramError {
            guard texts.count > 1, let plain = try? compiled(texts[1]) else { throw refusal }
            note(
                "'\(program.name)' runs without what \(client.platform) has for it, such as fused attention, and takes more memory and "
                    + "time: \(refusal)")
            return plain
        }
    }

    private func compile(_ name: String, _ text: String, _ options: CompileOptions) throws -> LoadedExecutable {
        do { return try client.compile(text, options) } catch let error as PJRTError {
            throw ProgramError(name, .compiling, text: text, error, on: device)
        }
    }

    private func executable(_ name: String, _ text: String, _ options: CompileOptions, _ key: String) throws -> LoadedExecutable {
        guard let programs else { return try compile(name, text, options) }
        let file = programs.appendingPathComponent("\(name)-\(key).pjrt")
        // One that is not what was written, or cannot be loaded, is made again: a plugin may crash on damaged bytes.
        if let kept = (try? Data(contentsOf: file)).flatMap(Self.unsealed),
            let loaded = try? client.load([UInt8](kept), replicas: options.replicas)
        {
            return loaded
        }
        let compiled = try compile(name, text, options)
        // Without the copy, as on a full disk or where a plugin makes none, the next process compiles again.
        if let bytes = try? compiled.executable.serialized() {
            try? FileManager.default.createDirectory(at: programs, withIntermediateDirectories: true)
            try? AtomicFile.write(Self.sealed(Data(bytes)), to: file)
        }
        return compiled
    }

    /// A kept executable: the SHA-256 of its bytes in hexadecimal, then the bytes.
    static func sealed(_ bytes: Data) -> Data { Data(sha256(bytes).utf8) + bytes }

    /// The bytes of a kept executable; nil where they are not what was written.
    static func unsealed(_ file: Data) -> Data? {
        let bytes = Data(file.dropFirst(64))
        return file.prefix(64) == Data(sha256(bytes).utf8) ? bytes : nil
    }

    /// Of the text and all that an executable depends on beside it.
    private func key(of text: String, on devices: [Int]) -> String {
        // Executables for processors use the instructions of the one they were made on.
        let processor =
            client.platform == "cpu"
            ? (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n").filter {
                $0.hasPrefix("model name") || $0.hasPrefix("flags")
            }.prefix(2).joined() ?? "" : ""
        let options = compilerOptions(for: client.platform).map { "\($0): \($1)" }.sorted().joined(separator: ", ")
        let parts = [text, client.platformVersion, client.plugin.path, description, processor, options, "\(devices)"]
        return String(sha256(Data(parts.joined(separator: "\u{0}").utf8)).prefix(32))
    }

    // MARK: Values to a device, the first where none is named

    public func copy(_ tensor: Tensor) throws -> Buffer { try copy(tensor, to: device) }

    public func copy(_ tensor: Tensor, to device: Device) throws -> Buffer {
        try .of(tensor.values, .float32, shape: tensor.shape, on: device, of: client)
    }

    public func copy(_ tokens: TokenTensor) throws -> Buffer { try copy(tokens, to: device) }

    public func copy(_ tokens: TokenTensor, to device: Device) throws -> Buffer {
        try .of(tokens.ids, .int32, shape: tokens.shape, on: device, of: client)
    }

    /// What a program's stream is to draw as.
    public func copy(_ stream: RandomStream) throws -> Buffer { try copy(stream, to: device) }

    public func copy(_ stream: RandomStream, to device: Device) throws -> Buffer {
        try .of(TracedStream.words(of: stream), .uint32, shape: [4], on: device, of: client)
    }

    /// Key or steps of streams.
    public func copy(words: [UInt32]) throws -> Buffer {
        try .of(words, .uint32, shape: [words.count], on: device, of: client)
    }
}

/// A program that was compiled for a device.
public final class CompiledProgram {
    public let program: TracedProgram
    private let text: String
    private let executable: LoadedExecutable
    private let device: Device

    fileprivate init(_ program: TracedProgram, text: String, _ executable: LoadedExecutable, on device: Device) {
        (self.program, self.text, self.executable, self.device) = (program, text, executable, device)
    }

    /// What each device needs, by the compiler's account.
    public func memory() throws -> Executable.Memory { try executable.executable.memory() }

    /// Runs it on buffers by the names of its inputs. Those that come out under the same name are gone afterwards.
    ///
    /// - Throws: `ProgramError` where the plugin cannot.
    public func run(_ inputs: [String: Buffer]) throws -> ProgramValues { try run([inputs])[0] }

    /// The same where devices share the work: what each is given and returns.
    public func run(_ inputs: [[String: Buffer]]) throws -> [ProgramValues] {
        let arguments = inputs.map { inputs in
            program.inputs.map { slot -> Buffer in
                guard let buffer = inputs[slot.name] else { fatalError("the program '\(program.name)' is not given '\(slot.name)'") }
                require(
                    buffer.shape == slot.shape,
                    "the program '\(program.name)' takes '\(slot.name)' of \(slot.shape), not of \(buffer.shape)")
                return buffer
            }
        }
        let results: [[Buffer]]
        do { results = try executable.run(replicas: arguments) } catch let error as PJRTError {
            throw ProgramError(program.name, .running, text: text, error, on: device)
        }
        return results.map { ProgramValues(Dictionary(zip(program.outputs.map(\.name), $0), uniquingKeysWith: { $1 })) }
    }

    /// The same where some inputs are a state, of which the program makes the next one.
    public func run(_ inputs: [String: Buffer], updating state: inout [String: Buffer]) throws -> ProgramValues {
        let values = try run(inputs.merging(state, uniquingKeysWith: { $1 }))
        for name in program.updated { state[name] = values.buffers[name] }
        return values
    }
}

/// What a program has returned, on its device.
public struct ProgramValues {
    public let buffers: [String: Buffer]

    init(_ buffers: [String: Buffer]) { self.buffers = buffers }

    public func tensor(_ name: String) throws -> Tensor { try buffer(name).tensor() }

    public func tokens(_ name: String) throws -> TokenTensor {
        let buffer = buffer(name)
        return TokenTensor(try buffer.numbers(), shape: buffer.shape)
    }

    private func buffer(_ name: String) -> Buffer {
        guard let buffer = buffers[name] else { fatalError("a program returned no '\(name)'") }
        return buffer
    }
}

extension [ProgramValues] {
    /// The rows of all devices, one after another.
    public func rows(_ name: String) throws -> Tensor {
        Tensor(joining: try map { try $0.tensor(name) })
    }

    public func tokenRows(_ name: String) throws -> TokenTensor {
        TokenTensor(joining: try map { try $0.tokens(name) })
    }
}

extension Buffer {
    /// The numbers, copied out.
    public func tensor() throws -> Tensor { Tensor(try numbers() as [Float], shape: shape) }
}
