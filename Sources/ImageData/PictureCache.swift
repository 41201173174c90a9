import Foundation

/// Pictures that were decoded and made smaller once, so that from then on they only have to be read.
///
/// It fills as pictures are asked for, and what comes out of it is what decoding gives, to the byte: it makes work faster and nothing else.
public final class PictureCache: Sendable {
    public enum Content: String, Sendable {
        /// What is seen of the middle of a picture; other views are made from the picture itself.
        case squares
        /// Pictures, halved by boxes as often as every view begins with: for random crops too.
        case pictures
    }

    private let content: Content
    private let side: Int
    private let file: PictureCacheFile

    /// Random crops usually cover four fifths of the shorter edge or more, and pictures are halved for those: smaller crops are made
    /// from the picture itself, where it was halved.
    private var largestEdge: Int { PictureView.edges(side: side, smallest: 0.8).upperBound }

    /// - Parameters:
    ///   - side: of the squares that are cut from the pictures.
    ///   - key: the same exactly if pictures and sizes are.
    init(_ content: Content, side: Int, channels: Int, count: Int, key: String, in folder: URL, room: PictureCacheFile.Room) {
        (self.content, self.side) = (content, side)
        file = PictureCacheFile(
            folder.appendingPathComponent("\(Self.prefix)\(key.prefix(12)).cache"), heading: "\(content.rawValue) \(key)", count: count,
            channels: channels, room: room)
    }

    /// What the names of such files begin with; they end with `.cache`.
    private static let prefix = "pictures-"

    public var url: URL { file.url }
    /// What the file takes on the disk now.
    public var bytes: Int { file.bytes }

    /// The picture at `place`, or a smaller one of which `view` shows the same.
    ///
    /// - Parameter original: the picture itself, in as many channels; asked for where what is kept does not do.
    func picture(_ place: Int, for view: PictureView, original: () throws -> Picture) throws -> Picture {
        if content == .squares, view.crop != .centre { return try original() }
        let isLarge = content == .pictures && view.edge(side: side) > largestEdge
        if let (picture, isWhole) = file.read(place) { return isLarge && !isWhole ? try original() : picture }
        let whole = try original()
        let smaller = smaller(whole)
        file.keep(smaller, isWhole: smaller.height == whole.height && smaller.width == whole.width, at: place)
        return isLarge ? whole : smaller
    }

    /// What all of `data`, of which it is the cache, will take: exactly for squares; for pictures by those that are there, or by a few that are
    /// decoded for that. Nil where these cannot be read.
    public func expectedBytes(of data: LabelledData) -> Int? {
        let sets = [data.train, data.test]
        let count = sets.reduce(0) { $0 + $1.count }
        if content == .squares { return count * data.train.pixelsPerImage }
        let kept = file.kept()
        if kept.count >= 100 { return kept.bytes / kept.count * count }
        let some = sets.flatMap { set in Set((0..<4).map { $0 * (set.count - 1) / 3 }).map { (set, $0) } }
        let sizes = some.compactMap { set, place in try? smaller(set.picture(place)).pixels.count }
        return sizes.count == some.count ? sizes.reduce(0, +) / sizes.count * count : nil
    }

    /// What is kept of a picture.
    func smaller(_ whole: Picture) -> Picture {
        switch content {
        case .squares: whole.height == side && whole.width == side ? whole : whole.square(side)
        case .pictures: whole.halved(downTo: largestEdge)
        }
    }
}
