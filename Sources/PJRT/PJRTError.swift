import CPJRT

/// An error of a plugin, in its own words.
public struct PJRTError: Error, CustomStringConvertible, Sendable {
    /// The kinds that somebody may act upon; numbers as in the interface.
    public enum Code: Int, Sendable {
        case invalidArgument = 3
        case notFound = 5
        case resourceExhausted = 8
        case failedPrecondition = 9
        case unimplemented = 12
        case `internal` = 13
        case unavailable = 14
        case other = 2
    }

    public let code: Code
    /// What the plugin said, without the addresses of its source.
    public let message: String
    public let plugin: String

    /// Reads an error and frees it.
    init(taking error: UnsafeMutableRawPointer, from plugin: Plugin) {
        var words = pjrt_object_text()
        words.object = UnsafeRawPointer(error)
        plugin.callWithoutResult(pjrt_error_message, &words)
        message = string(words.text, words.text_size)
        var kind = pjrt_object_int()
        kind.object = UnsafeRawPointer(error)
        // Asking an error for its code fails only where the struct's size is wrong.
        plugin.callIgnoringErrors(pjrt_error_get_code, &kind)
        code = Code(rawValue: Int(kind.number)) ?? .other
        self.plugin = plugin.path
        var object = pjrt_object()
        object.object = error
        plugin.callWithoutResult(pjrt_error_destroy, &object)
    }

    /// The plugin's words, and what can be done.
    public var description: String {
        let advice: String? =
            switch code {
            case .resourceExhausted:
                "the device's memory does not suffice: a smaller batch or micro_batch needs less"
            case .unimplemented: "the plugin cannot do this; a newer one may"
            case .unavailable, .failedPrecondition: "is the device's driver installed, and nobody else using the device?"
            default: nil
            }
        return "PJRT: \(message)" + (advice.map { " (\($0))" } ?? "")
    }
}
