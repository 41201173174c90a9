import Files
import PJRT

/// Devices that several processes share out, so that each has its own.
public struct DeviceShare: Equatable, Sendable {
    /// What one of the processes is to be given.
    public let choice: DeviceChoice
    /// Share of the devices' memory that it may take, where it is not alone on them.
    public let memory: Double?

    public init(_ choice: DeviceChoice, memory: Double? = nil) { (self.choice, self.memory) = (choice, memory) }

    /// What each of `workers` processes has: as many devices as any other, or as many processes to a device.
    ///
    /// - Throws: `InputError` where that cannot be.
    public static func shares(of choice: DeviceChoice, among workers: Int) throws -> [DeviceShare] {
        guard workers > 1, case .xla(let plugin, let devices, let shardsState) = choice else {
            return [DeviceShare](repeating: DeviceShare(choice), count: workers)
        }
        return try (0..<workers).map { worker in
            func share(_ devices: DeviceNumbers, memory: Double? = nil) -> DeviceShare {
                DeviceShare(.xla(plugin: plugin, devices: devices, shardsState: shardsState), memory: memory)
            }
            switch devices {
            case .first: return share(.first, memory: 1 / Double(workers))
            case .these(let numbers):
                let own = try numbers.indices.share(worker, of: workers).map { numbers[$0] }
                return share(.these(own), memory: workers > numbers.count ? Double(numbers.count) / Double(workers) : nil)
            // How many there are is known when they are open.
            case .all: return share(.share(worker + 1, of: workers))
            case .share:
                throw InputError("'\(choice)' is the share of one process; for \(workers) workers name all devices, such as xla:all")
            }
        }
    }
}

extension Range<Int> {
    /// Of 0 ..< count, the part that process `number` of `processes` has; where there are more processes, one number that it shares
    /// with as many as there are for each.
    func share(_ number: Int, of processes: Int) throws -> Range<Int> {
        if count >= processes, count % processes == 0 {
            let size = count / processes
            return number * size..<(number + 1) * size
        }
        guard count > 0, processes % count == 0 else {
            let near = (1...2 * Swift.max(count, 1)).filter { count % $0 == 0 || $0 % Swift.max(count, 1) == 0 }
            let nearest = near.min { abs($0 - processes) < abs($1 - processes) } ?? 1
            throw InputError(
                "\(processes) workers cannot have equally many of \(count) devices; the nearest that can: \(nearest)")
        }
        let place = number * count / processes
        return place..<place + 1
    }
}
