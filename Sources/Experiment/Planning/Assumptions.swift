import Files
import Foundation
import ImageData
import Settings

/// What a plan takes for granted because it is not on this machine. Running a sweep assumes nothing: it needs the files.
final class Assumptions {
    /// What was missing and what was planned with instead, a line each.
    private(set) var notes: [String] = []

    /// Images in the place of those that are not here; nil where they are.
    /// - Throws: `InputError` where nothing says what to expect.
    func dataset(_ settings: DataSettings) throws -> Dataset? {
        guard let place = Self.missing(settings) else { return nil }
        guard let expected = settings.expected ?? Self.known(settings.set) else {
            throw InputError(
                file: place,
                "is not there; data.expected may say what 'sweep plan' is to take for the images of "
                    + "\(settings.set.rawValue): classes, train_count, test_count")
        }
        let dataset = Dataset(expecting: expected, of: settings)
        note(
            "data not found at \(place): planned for \(dataset.classes) classes, \(dataset.counts.train) training and "
                + "\(dataset.counts.test) held-out images; ids change once it is there")
        return dataset
    }

    /// Whether a file is not here; that is then noted.
    func misses(_ path: String, as setting: String) -> Bool {
        guard !FileManager.default.fileExists(atPath: path) else { return false }
        note("\(setting) not found at \(path); ids change once it is there")
        return true
    }

    private func note(_ line: String) {
        if !notes.contains(line) { notes.append(line) }
    }

    /// Where images should be and are not.
    private static func missing(_ settings: DataSettings) -> String? {
        if settings.set == .shapes { return nil }
        if let path = settings.path { return FileManager.default.fileExists(atPath: path) ? nil : path }
        return settings.set == .fashionMNIST && FashionMNIST.installedFolder == nil ? "its place" : nil
    }

    /// Data sets of one size.
    private static func known(_ set: DataSettings.Collection) -> ExpectedDataSettings? {
        switch set {
        case .fashionMNIST: ExpectedDataSettings(classes: 10, trainCount: 60_000, testCount: 10_000)
        case .imagenet: ExpectedDataSettings()
        case .cifar10: ExpectedDataSettings(classes: 10, trainCount: 50_000, testCount: 10_000)
        default: nil
        }
    }
}
