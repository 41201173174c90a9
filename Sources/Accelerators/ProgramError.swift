import PJRT

/// A plugin did not compile a program, or failed to run it.
public struct ProgramError: Error, CustomStringConvertible {
    /// What was asked of the plugin.
    public enum Work: Sendable { case compiling, running }

    public let program: String
    public let work: Work
    /// StableHLO, as the plugin was given it.
    public let text: String
    public let cause: PJRTError
    /// The device's, where it ran out.
    let memory: Device.Memory?

    init(_ program: String, _ work: Work, text: String, _ cause: PJRTError, on device: Device) {
        (self.program, self.work, self.text, self.cause) = (program, work, text, cause)
        memory = cause.code == .resourceExhausted ? try? device.memory() : nil
    }

    public var description: String {
        let what = work == .compiling ? "was not compiled" : "failed"
        let free = memory.flatMap { memory in memory.limit.map { "; \(($0 - memory.inUse) >> 20) of \($0 >> 20) MiB were free" } }
        return "the program '\(program)' \(what): \(cause)\(free ?? "")"
    }
}
