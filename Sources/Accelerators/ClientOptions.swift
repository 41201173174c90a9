import Files
import PJRT

/// What a client of a platform is told when it opens its devices.
struct ClientOptions {
    let options: [String: Client.Option]
    /// Whether the client sees those devices only that were chosen.
    let seesChosenOnly: Bool

    /// Share of a device's memory that XLA takes where it is told nothing.
    private static let usualMemory = 0.75

    /// - Parameter memory: share of the devices' memory that this process may take of what one alone takes.
    init(for platform: String, _ devices: DeviceNumbers = .first, memory: Double? = nil) {
        guard platform == "cuda" || platform == "rocm" else {
            (options, seesChosenOnly) = ([:], false)
            return
        }
        var options: [String: Client.Option] = [:]
        // These take memory of every device that they see, at once.
        switch devices {
        case .first: options["visible_devices"] = .numbers([0])
        case .these(let numbers): options["visible_devices"] = .numbers(numbers)
        case .all: break
        case .share: options["preallocate"] = .flag(false)
        }
        if let memory { options["memory_fraction"] = .share(Float(Self.usualMemory * memory)) }
        (self.options, seesChosenOnly) = (options, options["visible_devices"] != nil)
    }
}

extension Accelerator {
    /// The plugin called `name`, or the most wanted one of this machine.
    ///
    /// - Parameter memory: as `DeviceShare.memory`.
    public convenience init(
        named name: String?, _ chosen: DeviceNumbers = .first, shardsState: Bool = false, memory: Double? = nil
    ) throws {
        let found = try PluginSearch().plugin(named: name)
        let options = ClientOptions(for: found.name, chosen, memory: memory)
        let client = try Client(Plugin(path: found.path), options: options.options)
        if options.seesChosenOnly, case .these(let numbers) = chosen {
            guard client.devices.count == numbers.count else {
                throw InputError(
                    "of the devices \(chosen) of platform \(client.platform) there \(client.devices.count == 1 ? "is" : "are") only "
                        + "\(client.devices.count); prologue doctor lists them")
            }
        }
        try self.init(client, options.seesChosenOnly ? .all : chosen, shardsState: shardsState)
    }
}
