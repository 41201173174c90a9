import Files
import PJRT

/// Which of a plugin's devices are used.
public enum DeviceNumbers: Equatable, Sendable, CustomStringConvertible {
    case first
    case all
    /// Counted from 0.
    case these([Int])
    /// That of one of as many processes, counted from 1, which have equally many of all devices.
    case share(Int, of: Int)

    /// `all`, `1`, `0-3`, `0,2`, `2/4`; nil for what does not begin like one of these.
    ///
    /// - Throws: `InputError` for one that is repeated, or no number.
    public init?(_ text: String) throws {
        if text == "all" {
            self = .all
            return
        }
        guard let first = text.first, first.isNumber else { return nil }
        let share = text.split(separator: "/", omittingEmptySubsequences: false)
        if share.count == 2, let number = Int(share[0]), let count = Int(share[1]), number >= 1, number <= count {
            self = .share(number, of: count)
            return
        }
        var numbers: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let low = ends[0], let high = ends[ends.count - 1], low >= 0, low <= high, high < 1 << 16
            else {
                throw InputError(
                    "devices '\(text)' are none: expected all, a number such as 1, several such as 0-3 or 0,2, or a share such as 2/4")
            }
            numbers += low...high
        }
        if let twice = numbers.first(where: { number in numbers.count { $0 == number } > 1 }) {
            throw InputError("devices '\(text)' name device \(twice) twice")
        }
        self = .these(numbers)
    }

    public var description: String {
        switch self {
        case .first: ""
        case .all: "all"
        case .these(let numbers): numbers.map(String.init).joined(separator: ",")
        case .share(let number, let count): "\(number)/\(count)"
        }
    }

    func among(_ client: Client) throws -> [Device] {
        switch self {
        case .first: [try client.device(0)]
        case .all: client.devices
        case .these(let numbers): try numbers.map(client.device)
        case .share(let number, let count): Array(client.devices[try client.devices.indices.share(number - 1, of: count)])
        }
    }
}
