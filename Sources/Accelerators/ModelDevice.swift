import Files
import Foundation
import PJRT

/// The device that models run on, opened when the first of them does: a process that only plans takes none of its memory.
public final class ModelDevice {
    public let choice: DeviceChoice
    private let memory: Double?
    private let programs: URL?
    private var opened: Accelerator?
    /// Told what a user should know of how programs were compiled; set before the device is asked for.
    public var note: (String) -> Void = { _ in } {
        didSet { opened?.note = note }
    }
    /// Whether it was asked for since that was last said.
    private var isUsed = false

    /// - Parameter programs: folder that compiled programs are kept in, for the next process that needs them.
    public convenience init(_ choice: DeviceChoice, programs: URL? = nil) { self.init(DeviceShare(choice), programs: programs) }

    /// A share of devices that other processes have, too.
    public init(_ share: DeviceShare, programs: URL? = nil) {
        (choice, memory, self.programs) = (share.choice, share.memory, programs)
    }

    /// Nil where models run on this program's own kernels.
    public func accelerator() throws -> Accelerator? {
        isUsed = true
        if opened == nil {
            opened = try choice.open(memory: memory)
            opened?.programs = programs
            opened?.note = note
        }
        return opened
    }

    /// Does work; says what records call the device that it ran on, nil where none was asked for.
    public func noting<Result>(_ work: () throws -> Result) rethrows -> (result: Result, device: String?) {
        isUsed = false
        let result = try work()
        return (result, isUsed ? opened?.description : nil)
    }
}
