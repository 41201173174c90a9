import CPJRT
import Files

/// What the compiler made of a program.
public final class Executable {
    /// Bytes that a program needs, by the compiler's account.
    public struct Memory: Sendable, Equatable {
        public let code, arguments, outputs, aliased, temporaries, peak: Int
    }

    let object: UnsafeMutableRawPointer
    private let plugin: Plugin

    init(_ object: UnsafeMutableRawPointer, _ plugin: Plugin) {
        self.object = object
        self.plugin = plugin
    }

    deinit {
        var arguments = pjrt_object()
        arguments.object = object
        plugin.callIgnoringErrors(pjrt_executable_destroy, &arguments)
    }

    public func outputCount() throws -> Int {
        var arguments = pjrt_object_size()
        arguments.object = object
        try plugin.call(pjrt_executable_num_outputs, &arguments)
        return arguments.size
    }

    public func memory() throws -> Memory {
        var arguments = pjrt_executable_memory()
        arguments.executable = object
        try plugin.call(pjrt_executable_memory_stats, &arguments)
        return Memory(
            code: Int(arguments.code), arguments: Int(arguments.arguments), outputs: Int(arguments.outputs),
            aliased: Int(arguments.aliased), temporaries: Int(arguments.temporaries), peak: Int(arguments.peak))
    }

    /// The executable as bytes, to be loaded by an equal plugin.
    public func serialized() throws -> [UInt8] {
        var arguments = pjrt_serialization()
        arguments.executable = UnsafeRawPointer(object)
        try plugin.call(pjrt_executable_serialize, &arguments)
        defer { arguments.release(arguments.owner) }
        return Array(UnsafeRawBufferPointer(start: arguments.bytes, count: arguments.byte_count))
    }
}

/// A compiled program on the devices of a client.
public final class LoadedExecutable {
    public let executable: Executable
    public let replicas: Int
    private let outputCount: Int
    private let object: UnsafeMutableRawPointer
    private let client: Client

    init(_ object: UnsafeMutableRawPointer?, _ client: Client, replicas: Int) throws {
        guard let object else { throw InputError(file: client.plugin.path, "compiled nothing, and did not say why") }
        self.object = object
        self.client = client
        self.replicas = replicas
        var arguments = pjrt_object_object()
        arguments.object = object
        try client.plugin.call(pjrt_loaded_executable_get_executable, &arguments)
        executable = Executable(arguments.other, client.plugin)
        outputCount = try executable.outputCount()
    }

    deinit {
        var arguments = pjrt_object()
        arguments.object = object
        client.plugin.callIgnoringErrors(pjrt_loaded_executable_destroy, &arguments)
    }

    /// Runs the program on one device and waits for it.
    public func run(_ arguments: [Buffer]) throws -> [Buffer] { try run(replicas: [arguments])[0] }

    /// Runs the program on as many devices as it has replicas, and waits for all.
    ///
    /// Arguments that the program aliases with results are donated: their buffers are gone afterwards.
    /// - Parameter replicas: the arguments of each, on the device of its number.
    public func run(replicas arguments: [[Buffer]]) throws -> [[Buffer]] {
        precondition(arguments.count == replicas, "\(arguments.count) lists of arguments for \(replicas) replicas")
        let argumentCount = arguments[0].count
        precondition(arguments.allSatisfy { $0.count == argumentCount }, "replicas take equally many arguments")
        var options = pjrt_execution_options()
        options.struct_size = MemoryLayout<pjrt_execution_options>.size
        let inputs = Table(rows: replicas, columns: argumentCount)
        let outputs = Table(rows: replicas, columns: outputCount)
        let events = Table(rows: 1, columns: replicas)
        for (row, list) in arguments.enumerated() {
            for (column, buffer) in list.enumerated() { inputs.rows[row]![column] = buffer.object }
        }
        var execution = pjrt_execution()
        execution.executable = object
        execution.device_count = replicas
        execution.argument_count = argumentCount
        execution.events = events.rows[0]
        try withUnsafeMutablePointer(to: &options) { options in
            execution.options = options
            try inputs.withConstantRows { rows in
                execution.arguments = rows
                execution.outputs = UnsafePointer(outputs.rows)
                try client.plugin.call(pjrt_loaded_executable_execute, &execution)
            }
        }
        // The buffers are ours before anything is thrown, so that they are freed.
        let results = try (0..<replicas).map { row in
            try (0..<outputCount).map { try Buffer(taking: outputs.rows[row]![$0]!, of: client) }
        }
        for replica in 0..<replicas { try client.plugin.await(events.rows[0]![replica]) }
        return results
    }

    /// Pointers in rows, as the interface takes arguments and results of several devices.
    private final class Table {
        let rows: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutableRawPointer?>?>
        private let count: Int

        init(rows count: Int, columns: Int) {
            self.count = count
            rows = .allocate(capacity: count)
            for row in 0..<count {
                let cells = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: max(columns, 1))
                cells.initialize(repeating: nil, count: max(columns, 1))
                rows[row] = cells
            }
        }

        deinit {
            for row in 0..<count { rows[row]?.deallocate() }
            rows.deallocate()
        }

        func withConstantRows<Result>(
            _ body: (UnsafePointer<UnsafePointer<UnsafeMutableRawPointer?>?>) throws -> Result
        ) rethrows -> Result {
            try rows.withMemoryRebound(to: UnsafePointer<UnsafeMutableRawPointer?>?.self, capacity: count) {
                try body(UnsafePointer($0))
            }
        }
    }
}
