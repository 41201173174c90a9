import Foundation

/// A mistake in what the user gave us, or trouble with a file: a key, a value, an argument, a disk.
///
/// The message names the place, what was expected and, where there is one, the nearest valid choice.
/// The command line prints it without a trace and exits with 2.
public struct InputError: Error, CustomStringConvertible, Equatable {
    public let message: String
    /// The file could be read and is proven not to hold what was written. Only then may it be replaced: a file that is
    /// locked, forbidden or on a failing disk may be intact.
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
        self.init(file: file, "cannot \(action): \(systemReason(for: code))")
    }

    /// The same for an error of Foundation, in the system's words instead of a number.
    public init(file: String, cannot action: String, because error: any Error) {
        self.init(file: file, "cannot \(action): \(systemReason(for: error))")
    }

    public var description: String { message }
}

/// What a number of `errno` means.
public func systemReason(for code: Int32) -> String {
    switch code {
    case ENOSPC, EDQUOT: "the disk is full"
    case EROFS: "the file system is read-only"
    default: String(cString: strerror(code))
    }
}

/// Why a call of Foundation failed. Its own texts are numbers on Linux ("NSCocoaErrorDomain error 512").
public func systemReason(for error: any Error) -> String {
    if let error = error as? InputError { return error.message }
    var cause: NSError? = error as NSError
    while let current = cause {
        if current.domain == NSPOSIXErrorDomain { return systemReason(for: Int32(current.code)) }
        cause = (current.userInfo[NSUnderlyingErrorKey] as? any Error).map { $0 as NSError }
    }
    switch (error as? CocoaError)?.code {
    case .fileWriteOutOfSpace?: return systemReason(for: ENOSPC)
    case .fileWriteNoPermission?, .fileReadNoPermission?: return systemReason(for: EACCES)
    case .fileWriteVolumeReadOnly?: return systemReason(for: EROFS)
    case .fileNoSuchFile?, .fileReadNoSuchFile?: return systemReason(for: ENOENT)
    case .fileWriteFileExists?: return systemReason(for: EEXIST)
    case .fileReadTooLarge?: return systemReason(for: EFBIG)
    case .fileReadCorruptFile?: return "its content is damaged"
    case .fileReadInapplicableStringEncoding?, .fileReadUnknownStringEncoding?: return "it is not UTF-8 text"
    default: return error is DecodingError ? "it is not valid JSON" : "the system gave no reason (\(error))"
    }
}
