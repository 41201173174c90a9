import Files
import Foundation
import Synchronization
import TestSupport
import Testing

import ImageData

/// Pictures that are kept smaller: the same to the byte, whatever becomes of the file.
@Suite struct PictureCacheTests {
    private static let side = 12

    /// Pictures of all proportions, some so large that they are halved, grey ones among them; how often each is asked for is counted.
    private final class Pictures: PictureSource {
        let pictures: [Picture]
        let asked = Mutex(0)

        init(_ count: Int) {
            var random = SplitMix64(key: 5, 1)
            pictures = (0..<count).map { _ in
                let (height, width, channels) = (
                    12 + random.index(below: 90), 12 + random.index(below: 90), random.index(below: 4) == 0 ? 1 : 3
                )
                return Picture(
                    height: height, width: width, channels: channels,
                    pixels: (0..<height * width * channels).map { _ in UInt8(random.index(below: 256)) })
            }
        }

        func picture(_ place: Int) throws -> Picture {
            asked.withLock { $0 += 1 }
            return pictures[place]
        }

        func digest(of places: [Int]) -> String {
            sha256(Data(places.flatMap { pictures[$0].pixels }))
        }
    }

    private static func data(_ pictures: Pictures, side: Int = side, channels: Int = 3) -> LabelledData {
        let (all, held) = (pictures.pictures.count, pictures.pictures.count / 4)
        let set = ImageSet(
            name: "pictures", size: side, channels: channels, source: pictures, labels: (0..<all).map { Int32($0 % 2) },
            classNames: ["a", "b"])
        return LabelledData(train: set.subset(Array(held..<all).reversed()), test: set.subset(Array(0..<held)))
    }

    private static let views: [PictureView] =
        PictureView.ten + [
            PictureView(.random(edge: 12, down: 0.3, right: 0.9)), PictureView(.random(edge: 15, down: 0.99, right: 0), isMirrored: true),
            // Beyond what pictures are halved for.
            PictureView(.random(edge: 16, down: 0.5, right: 0.5)), PictureView(.random(edge: 40, down: 0.1, right: 0.7)), PictureView(),
        ]

    private static func pixels(_ set: ImageSet) throws -> [[UInt8]] {
        try views.map { view in try set.pixels(of: 0..<set.count, views: [PictureView](repeating: view, count: set.count)) }
    }

    private static let noSpare = PictureCacheFile.Room(limit: nil, spare: 0)

    private static func open(
        _ data: LabelledData, _ content: PictureCache.Content, _ folder: URL, _ room: PictureCacheFile.Room = noSpare
    ) throws -> (data: LabelledData, cache: PictureCache) {
        try #require(data.cached(content, in: folder, room: room))
    }

    @Test(arguments: [PictureCache.Content.squares, .pictures], [1, 3])
    func imagesAreTheSameToTheByte(_ content: PictureCache.Content, _ channels: Int) throws {
        let data = Self.data(Pictures(24), channels: channels)
        let (train, test) = (try Self.pixels(data.train), try Self.pixels(data.test))
        try withTemporaryFolder { folder in
            // Filled as it is read, then read, by this process's cache and by another.
            for _ in 0..<2 {
                let (cached, _) = try Self.open(data, content, folder)
                #expect(cached.train.fingerprint == data.train.fingerprint && cached.test.fingerprint == data.test.fingerprint)
                for _ in 0..<2 { #expect(try Self.pixels(cached.train) == train && Self.pixels(cached.test) == test) }
                let some = [3, 1, 7]
                #expect(try cached.train.subset(some).pixels(of: 0..<3) == data.train.pixels(of: some))
                #expect(cached.train.subset(some).fingerprint == data.train.subset(some).fingerprint)
            }
        }
    }

    @Test func whatIsKeptIsNotDecodedAgain() throws {
        let pictures = Pictures(24)
        let data = Self.data(pictures)
        func asked(_ body: () throws -> Void) rethrows -> Int {
            let before = pictures.asked.withLock { $0 }
            try body()
            return pictures.asked.withLock { $0 } - before
        }
        try withTemporaryFolder { folder in
            for content in [PictureCache.Content.squares, .pictures] {
                let (cached, cache) = try Self.open(data, content, folder)
                #expect(cache.bytes == 0, "no file is made before there is something to keep")
                #expect(try asked { _ = try cached.train.pixels(of: 0..<18) } == 18)
                #expect(try asked { _ = try cached.train.pixels(of: 0..<18) } == 0)
                #expect(try asked { _ = try Self.open(data, content, folder).data.train.pixels(of: 0..<18) } == 0)
                // Random crops are cut from what pictures are halved to.
                let crops = [PictureView](repeating: PictureView(.random(edge: 15, down: 0, right: 0)), count: 18)
                #expect(try asked { _ = try cached.train.pixels(of: 0..<18, views: crops) } == (content == .squares ? 18 : 0))
                let expected = try #require(cache.expectedBytes(of: data))
                if content == .squares { #expect(expected == 24 * 12 * 12 * 3) } else { #expect(expected > 24 * 12 * 12 * 3) }
                _ = try cached.test.pixels(of: 0..<6)
                // Another size is another file.
                #expect(try asked { _ = try Self.open(Self.data(pictures, side: 10), content, folder).data.train.pixels(of: 0..<18) } == 18)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 4)
        }
    }

    /// Every byte of the file counts: whichever is another, the images are the same, and the file is mended.
    @Test(arguments: [PictureCache.Content.squares, .pictures])
    func damageIsDecodedAgain(_ content: PictureCache.Content) throws {
        let data = Self.data(Pictures(6))
        func pixels(_ set: ImageSet) throws -> [UInt8] {
            try set.pixels(of: 0..<set.count) + set.pixels(of: [0], views: [PictureView(.random(edge: 15, down: 0.5, right: 0.5))])
        }
        let right = try pixels(data.train)
        try withTemporaryFolder { folder in
            let (cached, cache) = try Self.open(data, content, folder)
            _ = try pixels(cached.train)
            let whole = try Data(contentsOf: cache.url)
            var random = SplitMix64(key: 9, 1)
            let entries = 4096..<4096 + 32 * 6
            let places =
                [0, 30, 4000] + stride(from: 0, to: entries.count, by: 5).map { entries.lowerBound + $0 }
                + (0..<20).map { _ in entries.upperBound + random.index(below: whole.count - entries.upperBound) }
            for place in places {
                var bytes = whole
                bytes[place] ^= UInt8(1 << random.index(below: 8))
                try bytes.write(to: cache.url)
                let (again, _) = try Self.open(data, content, folder)
                #expect(try pixels(again.train) == right && pixels(again.train) == right, "byte \(place)")
            }
            // Cut short anywhere, as after a crash of the machine.
            for length in stride(from: 0, through: whole.count, by: 2503) {
                try whole.prefix(length).write(to: cache.url)
                #expect(try pixels(Self.open(data, content, folder).data.train) == right, "\(length) bytes")
            }
            try Data("something else".utf8).write(to: cache.url)
            #expect(try pixels(Self.open(data, content, folder).data.train) == right)
            #expect(try Data(contentsOf: cache.url).starts(with: Data("prologue picture cache".utf8)))
        }
    }

    @Test func theLimitHolds() throws {
        let data = Self.data(Pictures(40))
        let right = try data.train.pixels(of: 0..<30)
        try withTemporaryFolder { folder in
            // Once a hundred are there, what all take follows from them.
            let many = Self.data(Pictures(130))
            let (filled, whole) = try Self.open(many, .pictures, folder.appendingPathComponent("many"))
            _ = try (filled.train.pixels(of: 0..<filled.train.count), filled.test.pixels(of: 0..<filled.test.count))
            let pixels = try Data(contentsOf: whole.url).count - 4096 - 32 * 130
            #expect(try abs(#require(whole.expectedBytes(of: many)) - pixels) <= 130)
            let (square, start) = (12 * 12 * 3, 4096 + 40 * 32)
            for kept in [0, 1, 7] {
                let limited = PictureCacheFile.Room(limit: start + kept * square + 100, spare: 0)
                let (cached, cache) = try Self.open(data, .squares, folder, limited)
                for _ in 0..<2 { #expect(try cached.train.pixels(of: 0..<30) == right) }
                #expect(try Data(contentsOf: cache.url).count == start + kept * square)
            }
            // A disk of which all is to stay free.
            let (cached, cache) = try Self.open(data, .pictures, folder, PictureCacheFile.Room(limit: nil, spare: 1))
            #expect(try cached.train.pixels(of: 0..<30) == right)
            #expect(try Data(contentsOf: cache.url).count == start)
        }
    }

    @Test func whereNothingCanBeWrittenPicturesAreDecoded() throws {
        let data = Self.data(Pictures(8))
        let right = try data.train.pixels(of: 0..<6)
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("file")
            try Data().write(to: file)
            let (cached, cache) = try Self.open(data, .squares, file.appendingPathComponent("data"))
            for _ in 0..<2 { #expect(try cached.train.pixels(of: 0..<6) == right) }
            #expect(cache.bytes == 0)
        }
    }

    /// Many caches of one file, as many processes have them: each picture is in it once.
    @Test func severalFillOneFile() throws {
        let data = Self.data(Pictures(60))
        let right = try data.train.pixels(of: 0..<45)
        try withTemporaryFolder { folder in
            let opened = try (0..<6).map { _ in try Self.open(data, .squares, folder) }
            let failures = Mutex(0)
            DispatchQueue.concurrentPerform(iterations: 6) { number in
                let set = opened[number].data.train
                if (try? set.pixels(of: 0..<45)) != right || (try? set.pixels(of: 0..<45)) != right { failures.withLock { $0 += 1 } }
            }
            #expect(failures.withLock { $0 } == 0)
            #expect(try Data(contentsOf: opened[0].cache.url).count == 4096 + 60 * 32 + 45 * 12 * 12 * 3)
        }
    }
}
