import Foundation

/// A mistake in what the user gave us, or trouble with a file: a key, a value, an argument, a disk.
///
/// The message names the place, what was expected and, where there is one, the nearest valid choice.
/// The command line prints it without a trace and exits with 2.
public struct InputError: Error, CustomStringConvertible, Equatable {
    public let message: String
    /// The file could be read and is proven not to hold what was written. Only then may it be replaced: a file that is
    /// locked, forbidden or on a failing disk may be perfectly well.
    public let isDamage: Bool

    public init(_ message: String, isDamage: Bool = false) { (self.message, self.isDamage) = (message, isDamage) }

    /// `file: message`, or `file:line: message` where the line is known.
    public init(file: String, line: Int? = nil, isDamage: Bool = false, _ message: String) {
        self.message = "\(file)\(line.map { ":\($0)" } ?? ""): \(message)"
        self.isDamage = isDamage
    }

    /// A system call failed: `file: cannot open: Permission denied`.
    ///
    /// - Parameters:
    ///   - action: what was attempted, as in "cannot …".
    ///   - code: the system's number for the reason.
    public init(file: String, cannot action: String, code: Int32 = errno) {
        self.init(file: file, "cannot \(action): \(String(cString: strerror(code)))")
    }

    /// The same for an error of Foundation, in the system's words instead of a number.
    public init(file: String, cannot action: String, because error: any Error) {
        self.init(file: file, "cannot \(action): \(systemReason(for: error))")
    }

    public var description: String { message }
}

/// Why a call of Foundation failed. Its own texts are numbers on Linux ("NSCocoaErrorDomain error 512").
public func systemReason(for error: any Error) -> String {
    if let error = error as? InputError { return error.message }
    var cause: NSError? = error as NSError
    while let current = cause {
        if current.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(current.code))) }
        cause = (current.userInfo[NSUnderlyingErrorKey] as? any Error).map { $0 as NSError }
    }
    switch (error as? CocoaError)?.code {
    case .fileWriteOutOfSpace?: return String(cString: strerror(ENOSPC))
    case .fileWriteNoPermission?, .fileReadNoPermission?: return String(cString: strerror(EACCES))
    case .fileWriteVolumeReadOnly?: return String(cString: strerror(EROFS))
    case .fileNoSuchFile?, .fileReadNoSuchFile?: return String(cString: strerror(ENOENT))
    case .fileWriteFileExists?: return String(cString: strerror(EEXIST))
    case .fileReadTooLarge?: return String(cString: strerror(EFBIG))
    case .fileReadCorruptFile?: return "its content is damaged"
    case .fileReadInapplicableStringEncoding?, .fileReadUnknownStringEncoding?: return "it is not UTF-8 text"
    default: return error is DecodingError ? "it is not valid JSON" : "the system gave no reason (\(error))"
    }
}
