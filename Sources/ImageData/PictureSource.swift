/// Where the pictures of a data set lie. They are read one by one, when they are wanted, from any thread.
public protocol PictureSource: Sendable {
    /// The picture at `place`, as large as it is stored.
    /// - Throws: `InputError` naming the file.
    func picture(_ place: Int) throws -> Picture
    /// The same in `channels` channels; or a smaller one, of which `view` shows the same.
    func picture(_ place: Int, channels: Int, for view: PictureView) throws -> Picture
    /// SHA-256 of something that is the same exactly if the pictures at these places are.
    func digest(of places: [Int]) -> String
}

extension PictureSource {
    public func picture(_ place: Int, channels: Int, for view: PictureView) throws -> Picture {
        try picture(place).converted(toChannels: channels)
    }
}

/// Images of a training step, with their classes.
public struct ImageBatch: Sendable {
    /// Places in the set.
    public let indices: [Int]
    public let labels: [Int32]
    /// (image, row, column, channel)
    public let pixels: [UInt8]
}

extension ImageSet {
    /// The images at `indices`, each as its view shows it.
    public func batch(_ indices: [Int], views: [PictureView] = []) throws -> ImageBatch {
        ImageBatch(
            indices: indices, labels: indices.map { labels[$0] }, pixels: try pixels(of: indices, views: views))
    }
}
