import CPJRT
import Files
import Foundation

/// A library that compiles StableHLO programs and runs them on devices of one kind, behind the PJRT interface.
///
/// ```swift
/// let plugin = try Plugin(path: "/…/pjrt_c_api_cpu_plugin.so")
/// let client = try Client(plugin)
/// let program = try client.compile(text)
/// ```
///
/// A plugin is never unloaded: the libraries behind it do not allow that.
public final class Plugin: @unchecked Sendable {
    public let path: String
    /// Of the interface that the plugin was built with, such as 0.115.
    public let version: (major: Int, minor: Int)
    private let functions: UnsafePointer<UnsafeRawPointer?>
    private let functionCount: Int

    /// The oldest minor version whose function table has all that is used here.
    static let oldestMinorVersion = 72

    /// Loads the library at `path`. Loading one that is loaded already is free.
    ///
    /// - Throws: `InputError` where it is no plugin, too old, or made for another processor.
    public init(path: String) throws {
        self.path = path
        guard FileManager.default.fileExists(atPath: path) else { throw InputError(file: path, "there is no such file") }
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
            throw InputError(file: path, "cannot be loaded as a PJRT plugin: \(reason)")
        }
        guard let symbol = dlsym(library, "GetPjrtApi") else {
            throw InputError(file: path, "is no PJRT plugin: it has no function GetPjrtApi")
        }
        typealias GetAPI = @convention(c) () -> UnsafeRawPointer?
        guard let api = unsafeBitCast(symbol, to: GetAPI.self)() else {
            throw InputError(file: path, "is no PJRT plugin: GetPjrtApi returns nothing")
        }
        let header = api.assumingMemoryBound(to: pjrt_api_header.self)
        version = (Int(header.pointee.major_version), Int(header.pointee.minor_version))
        let headerSize = MemoryLayout<pjrt_api_header>.stride
        functionCount = (Int(header.pointee.struct_size) - headerSize) / MemoryLayout<UnsafeRawPointer?>.stride
        functions = (api + headerSize).assumingMemoryBound(to: UnsafeRawPointer?.self)
        guard version.major == 0, version.minor >= Self.oldestMinorVersion,
            functionCount > Int(pjrt_executable_memory_stats.rawValue)
        else {
            throw InputError(
                file: path,
                "speaks version \(version.major).\(version.minor) of the PJRT interface; "
                    + "0.\(Self.oldestMinorVersion) or a later 0.x is needed")
        }
        var arguments = pjrt_no_arguments()
        try call(pjrt_plugin_initialize, &arguments)
    }

    /// What the plugin says about itself, such as `xla_version` and `stablehlo_current_version`.
    public func attributes() throws -> [String: String] {
        var arguments = pjrt_attributes()
        try call(pjrt_plugin_attributes, &arguments)
        let values = UnsafeBufferPointer(start: arguments.attributes, count: arguments.count)
        return Dictionary(values.map { (string($0.name, $0.name_size), $0.text) }, uniquingKeysWith: { first, _ in first })
    }

    /// Calls a function of the interface with its struct, whose size is filled in.
    func call<Arguments>(_ function: pjrt_function, _ arguments: inout Arguments) throws {
        guard let error = invoke(function, &arguments) else { return }
        throw PJRTError(taking: error, from: self)
    }

    /// The same for functions that cannot fail, or whose failure nobody can act upon; the error, if any, is freed.
    func callIgnoringErrors<Arguments>(_ function: pjrt_function, _ arguments: inout Arguments) {
        if let error = invoke(function, &arguments) { _ = PJRTError(taking: error, from: self) }
    }

    /// Two functions return nothing, and are called by the error that is being read only.
    func callWithoutResult<Arguments>(_ function: pjrt_function, _ arguments: inout Arguments) {
        typealias Function = @convention(c) (UnsafeMutableRawPointer) -> Void
        withArguments(&arguments) { unsafeBitCast(address(of: function), to: Function.self)($0) }
    }

    private func invoke<Arguments>(_ function: pjrt_function, _ arguments: inout Arguments) -> UnsafeMutableRawPointer? {
        typealias Function = @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer?
        return withArguments(&arguments) { unsafeBitCast(address(of: function), to: Function.self)($0) }
    }

    private func withArguments<Arguments, Result>(
        _ arguments: inout Arguments, _ body: (UnsafeMutableRawPointer) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &arguments) { pointer in
            let raw = UnsafeMutableRawPointer(pointer)
            // Every struct begins with its own size.
            raw.storeBytes(of: MemoryLayout<Arguments>.size, as: Int.self)
            return body(raw)
        }
    }

    private func address(of function: pjrt_function) -> UnsafeRawPointer {
        guard let address = functions[Int(function.rawValue)] else {
            preconditionFailure("the PJRT plugin \(path) lacks function \(function.rawValue) of its interface")
        }
        return address
    }
}

/// A text of `count` bytes that need not end with a zero.
func string(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
    guard let start else { return "" }
    return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
}

extension pjrt_named_value {
    /// The value in words.
    var text: String {
        switch pjrt_value_type(rawValue: UInt32(type)) {
        case pjrt_value_string: string(string_value, value_size)
        case pjrt_value_int64: "\(int64_value)"
        case pjrt_value_int64_list:
            UnsafeBufferPointer(start: int64_list, count: value_size).map(String.init).joined(separator: ".")
        case pjrt_value_float: "\(float_value)"
        default: "\(bool_value)"
        }
    }
}
