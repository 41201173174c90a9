import Files
import Foundation

/// Pictures of a source that are kept smaller in a file.
struct CachedPictures: PictureSource {
    let source: any PictureSource
    /// Where the source has them.
    let places: [Int]
    let cache: PictureCache
    /// Of the first of them in the file.
    let first: Int

    func picture(_ place: Int) throws -> Picture { try source.picture(places[place]) }
    func digest(of places: [Int]) -> String { source.digest(of: places.map { self.places[$0] }) }

    func picture(_ place: Int, channels: Int, for view: PictureView) throws -> Picture {
        try cache.picture(first + place, for: view) { try source.picture(places[place], channels: channels, for: view) }
    }
}

extension LabelledData {
    /// The same images, through a cache of their pictures; nil where they are in memory anyway.
    ///
    /// - Parameters:
    ///   - folder: where the file lies, which is called by what is in it.
    ///   - limit: bytes that it may take at most; nil: as many as it takes, while a twentieth of the disk stays free.
    public func cached(_ content: PictureCache.Content, in folder: URL, limit: Int?) -> (data: LabelledData, cache: PictureCache)? {
        cached(content, in: folder, room: PictureCacheFile.Room(limit: limit))
    }

    package func cached(_ content: PictureCache.Content, in folder: URL, room: PictureCacheFile.Room) -> (
        data: LabelledData, cache: PictureCache
    )? {
        if train.isInMemory || test.isInMemory { return nil }
        let cache = PictureCache(
            content, side: train.height, channels: train.channels, count: train.count + test.count,
            key: sha256(Data("\(content.rawValue) \(train.fingerprint) \(test.fingerprint)".utf8)), in: folder, room: room)
        return (LabelledData(train: train.cached(by: cache, from: 0), test: test.cached(by: cache, from: train.count)), cache)
    }
}
