import Files
import Foundation
import PJRT
import StableHLO
import TensorCore

/// One device that programs run on.
///
/// ```swift
/// let accelerator = try Accelerator(named: nil)
/// let program = try accelerator.compile(traced)
/// let outputs = try program.run(["x": accelerator.copy(x)])
/// let y = try outputs.tensor("y")
/// ```
public final class Accelerator {
    public let client: Client
    public let device: Device
    /// Folder that compiled programs are kept in, if they are.
    public var programs: URL?
    /// Those that this process has made or loaded, by their keys.
    private var executables: [String: LoadedExecutable] = [:]

    /// - Parameter number: which of the client's devices.
    public init(_ client: Client, device number: Int = 0) throws {
        self.client = client
        device = try client.device(number)
    }

    /// The plugin called `name`, or the most wanted one of this machine.
    public convenience init(named name: String?, device: Int = 0) throws {
        try self.init(Client(Plugin(path: PluginSearch().plugin(named: name).path)), device: device)
    }

    /// What records say of it: platform, kind of device, version of the interface.
    public var description: String {
        "xla:\(client.platform), \(device.kind), PJRT \(client.plugin.version.major).\(client.plugin.version.minor)"
    }

    /// Compiles a program, or takes it from the folder of kept ones.
    ///
    /// - Throws: `ProgramError` with the program's text where the plugin refuses it.
    public func compile(_ program: TracedProgram) throws -> CompiledProgram {
        let text = program.text(for: client.platform)
        let key = key(of: text)
        let executable = try executables[key] ?? executable(program.name, text, key)
        executables[key] = executable
        return CompiledProgram(program, text: text, executable, on: device)
    }

    private func compile(_ name: String, _ text: String) throws -> LoadedExecutable {
        do { return try client.compile(text) } catch let error as PJRTError {
            throw ProgramError(name, .compiling, text: text, error, on: device)
        }
    }

    private func executable(_ name: String, _ text: String, _ key: String) throws -> LoadedExecutable {
        guard let programs else { return try compile(name, text) }
        let file = programs.appendingPathComponent("\(name)-\(key).pjrt")
        // One that is not what was written, or cannot be loaded, is made again: a plugin may crash on damaged bytes.
        if let kept = (try? Data(contentsOf: file)).flatMap(Self.unsealed), let loaded = try? client.load([UInt8](kept)) {
            return loaded
        }
        let compiled = try compile(name, text)
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
    private func key(of text: String) -> String {
        // Executables for processors use the instructions of the one they were made on.
        let processor =
            client.platform == "cpu"
            ? (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n").filter {
                $0.hasPrefix("model name") || $0.hasPrefix("flags")
            }.prefix(2).joined() ?? "" : ""
        let parts = [text, client.platformVersion, client.plugin.path, description, processor]
        return String(sha256(Data(parts.joined(separator: "\u{0}").utf8)).prefix(32))
    }

    // MARK: Values to the device

    public func copy(_ tensor: Tensor) throws -> Buffer {
        try .of(tensor.values, .float32, shape: tensor.shape, on: device, of: client)
    }

    public func copy(_ tokens: TokenTensor) throws -> Buffer {
        try .of(tokens.ids, .int32, shape: tokens.shape, on: device, of: client)
    }

    /// What a program's stream is to draw as.
    public func copy(_ stream: RandomStream) throws -> Buffer {
        try copy(words: TracedStream.words(of: stream))
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

    /// Runs it on buffers by the names of its inputs. Those that come out under the same name are gone afterwards.
    ///
    /// - Throws: `ProgramError` where the plugin cannot.
    public func run(_ inputs: [String: Buffer]) throws -> ProgramValues {
        let arguments = program.inputs.map { slot -> Buffer in
            guard let buffer = inputs[slot.name] else { fatalError("the program '\(program.name)' is not given '\(slot.name)'") }
            require(
                buffer.shape == slot.shape,
                "the program '\(program.name)' takes '\(slot.name)' of \(slot.shape), not of \(buffer.shape)")
            return buffer
        }
        let results: [Buffer]
        do { results = try executable.run(arguments) } catch let error as PJRTError {
            throw ProgramError(program.name, .running, text: text, error, on: device)
        }
        return ProgramValues(Dictionary(zip(program.outputs.map(\.name), results), uniquingKeysWith: { $1 }))
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

extension Buffer {
    /// The numbers, copied out.
    public func tensor() throws -> Tensor { Tensor(try numbers() as [Float], shape: shape) }
}
