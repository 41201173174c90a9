import Files
import Foundation
import ImageData
import Settings

extension PictureCache.Content {
    /// Nil: nothing is kept.
    init?(_ setting: DataSettings.Cache) {
        switch setting {
        case .none: return nil
        case .squares: self = .squares
        case .pictures: self = .pictures
        }
    }
}

extension PictureCache {
    /// What the cache takes and will take, and what keeps it from that, as a line.
    ///
    /// - Parameters:
    ///   - data: all that it may hold.
    ///   - limit: of the settings, in GiB.
    func account(of data: LabelledData, limit: Double?) -> String {
        func text(_ bytes: Int) -> String {
            bytes < 1 << 30
                ? String(format: "%.1f MiB", Double(bytes) / 1_048_576) : String(format: "%.1f GiB", Double(bytes) / 1_073_741_824)
        }
        var line = "the cache \(url.path) takes \(text(bytes))"
        guard let all = expectedBytes(of: data) else { return line }
        let most = limit.map { Int($0 * 1_073_741_824) } ?? .max
        line += "; all \(data.train.count + data.test.count) pictures take about \(text(all))"
        if most < all { line += ", of which data.cache_limit keeps \(text(most))" }
        if let disk = DiskSpace(of: url), min(most, all) - bytes > disk.free - disk.all / 20 {
            line += "; \(text(disk.free)) are free there, and a twentieth of the disk stays free: the rest is decoded each time"
        }
        return line
    }
}
