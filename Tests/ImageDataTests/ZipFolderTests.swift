import Archives
import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// Class folders in zip files, and pictures that are read when they are wanted.
@Suite struct ZipFolderTests {
    /// A folder of class folders, and zip files of it: stored, deflated, and below a folder of its own.
    private static let make = """
        import io, os, shutil, sys, zipfile, numpy as np
        from PIL import Image
        root = sys.argv[1]
        rng = np.random.default_rng(4)
        for half, count in [("train", 6), ("test", 2)]:
            for name in ["ape", "bee"]:
                os.makedirs(f"{root}/pictures/{half}/{name}")
                for i in range(count):
                    a = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
                    image = Image.fromarray(a).resize((rng.integers(20, 50), rng.integers(20, 50)), Image.BICUBIC)
                    image.save(f"{root}/pictures/{half}/{name}/{i}.{'png' if i % 2 else 'jpg'}")
        open(f"{root}/pictures/train/ape/.hidden", "w").write("x")
        files = sorted(os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root + "/pictures") for f in fs)
        rng.shuffle(files)
        for name, way, cut in [("stored", zipfile.ZIP_STORED, 9), ("deflated", zipfile.ZIP_DEFLATED, 9), ("below", zipfile.ZIP_STORED, 0)]:
            with zipfile.ZipFile(f"{root}/{name}.zip", "w", way) as z:
                for f in files: z.write(f"{root}/{f}", f[cut:])
                z.writestr("__MACOSX/train/ape/0.jpg", "x")
        """

    @Test func aZipIsTheFolderThatItWasMadeOf() throws {
        try withTemporaryFolder { root in
            _ = try python(Self.make, root.path)
            let folder = try ImageFolder(opening: root.appendingPathComponent("pictures"), imageSize: 16).data
            #expect(folder.train.classNames == ["ape", "bee"] && folder.train.count == 12 && folder.test.count == 4)
            #expect(!folder.train.isInMemory)
            for name in ["stored", "deflated", "below"] {
                let zip = try ImageFolder(opening: root.appendingPathComponent("\(name).zip"), imageSize: 16).data
                #expect(zip.train.fingerprint == folder.train.fingerprint && zip.test.fingerprint == folder.test.fingerprint)
                #expect(zip.train.labels == folder.train.labels)
                let order = [3, 11, 0, 3]
                #expect(try zip.train.pixels(of: order) == folder.train.pixels(of: order))
            }
            let one = try JPEG.read(root.appendingPathComponent("pictures/test/bee/0.jpg"))
            #expect(try folder.test.pixels(of: [2]) == one.square(16).pixels)
            let other = try ImageFolder(opening: root.appendingPathComponent("stored.zip"), imageSize: 8).data
            #expect(other.train.fingerprint != folder.train.fingerprint, "another size is other data")
        }
    }

    /// '-', '.' and ' ' come before the '/' between folders, '0' and letters after it; and a later member replaces an earlier one.
    @Test func namesAroundTheSeparatorAreToldApart() throws {
        try withTemporaryFolder { root in
            _ = try python(
                """
                import io, os, random, sys, zipfile
                from PIL import Image
                root, files = sys.argv[1], []
                names = ["a", "a-b", "a.b", "a b", "a0", "ab", "b"]
                for half in ("train", "test"):
                    for n, name in enumerate(names):
                        for inner in ("x.png", "x/y.png", "x-y.png", "deep/er/z.png"):
                            path = f"{half}/{name}/{inner.replace('x/', 'x0/')}"
                            os.makedirs(os.path.dirname(f"{root}/pictures/{path}"), exist_ok=True)
                            Image.new("L", (8, 8), 20 * n + len(inner)).save(f"{root}/pictures/{path}")
                            files.append(path)
                random.Random(3).shuffle(files)
                with zipfile.ZipFile(f"{root}/shuffled.zip", "w") as z:
                    z.writestr(files[5], b"replaced below")
                    for half in ("train", "test"): z.writestr(f"{half}/", b"")
                    for path in files: z.write(f"{root}/pictures/{path}", path)
                """, root.path)
            let folder = try ImageFolder(opening: root.appendingPathComponent("pictures"), imageSize: 8, channels: 1).data
            let zip = try ImageFolder(opening: root.appendingPathComponent("shuffled.zip"), imageSize: 8, channels: 1).data
            #expect(zip.train.classNames == ["a", "a b", "a-b", "a.b", "a0", "ab", "b"] && zip.train.count == 28)
            #expect(zip.train.classNames == folder.train.classNames && zip.train.labels == folder.train.labels)
            #expect(zip.train.fingerprint == folder.train.fingerprint && zip.test.fingerprint == folder.test.fingerprint)
        }
    }

    @Test func damagedZipsAndMembersAreNamed() throws {
        try withTemporaryFolder { root in
            _ = try python(Self.make, root.path)
            let url = root.appendingPathComponent("stored.zip")
            var bytes = try Data(contentsOf: url)
            try bytes.prefix(bytes.count - 30).write(to: root.appendingPathComponent("cut.zip"))
            let cut = #expect(throws: InputError.self) {
                try ImageFolder(opening: root.appendingPathComponent("cut.zip"), imageSize: 8)
            }
            #expect(cut?.message.contains("cut.zip") == true)
            // A byte inside the first member: its checksum no longer matches.
            bytes[60] ^= 0x55
            try bytes.write(to: url)
            let error = #expect(throws: InputError.self) { try ImageFolder(opening: url, imageSize: 8) }
            #expect(error?.message.contains("CRC") == true && error?.message.contains("data.broken") == true)
            let loaded = try ImageFolder(opening: url, imageSize: 8, broken: .skip)
            #expect(loaded.skipped.count == 1 && loaded.data.train.count + loaded.data.test.count == 15)
        }
    }

    /// What a look at the pictures has found is believed as long as size and time are the same, and no longer.
    @Test func aSurveyIsKept() throws {
        try withTemporaryFolder { root in
            _ = try python(Self.make, root.path)
            let (folder, kept) = (root.appendingPathComponent("pictures"), root.appendingPathComponent("kept/survey.tsv"))
            func open() throws -> (looked: Int, fingerprint: String, skipped: Int) {
                var looked = 0
                let loaded = try ImageFolder(opening: folder, imageSize: 8, broken: .skip, survey: kept) { looked = max($0, $1) }
                return (looked, loaded.data.train.fingerprint, loaded.skipped.count)
            }
            let first = try open()
            #expect(first.looked == 16 && first.skipped == 0)
            let second = try open()
            #expect(second.looked == 0 && second.fingerprint == first.fingerprint)
            let changed = folder.appendingPathComponent("train/bee/1.png")
            try Data("no picture".utf8).write(to: changed)
            let third = try open()
            #expect(third.looked == 1 && third.skipped == 1 && third.fingerprint != first.fingerprint)
            #expect(try open().skipped == 1)
            try Data("rubbish".utf8).write(to: kept)
            #expect(try open().looked == 16)
        }
    }

    /// A file that is damaged after it was looked at is named when it is read.
    @Test func filesThatChangeUnderneathAreNamed() throws {
        try withTemporaryFolder { root in
            _ = try python(Self.make, root.path)
            let set = try ImageFolder(opening: root.appendingPathComponent("pictures"), imageSize: 8).data.train
            try FileManager.default.removeItem(at: root.appendingPathComponent("pictures/train/ape/2.jpg"))
            #expect(try set.pixels(of: [0, 1]).count == 2 * 8 * 8 * 3)
            let error = #expect(throws: InputError.self) { try set.pixels(of: [0, 1, 2]) }
            #expect(error?.message.contains("train/ape/2.jpg") == true)
        }
    }

    @Test func viewsOfSetsAreViewsOfTheirPictures() throws {
        try withTemporaryFolder { root in
            _ = try python(Self.make, root.path)
            let folder = root.appendingPathComponent("pictures")
            let set = try ImageFolder(opening: folder, imageSize: 8).data.test
            let picture = try PNG.read(folder.appendingPathComponent("test/ape/1.png"))
            for view in PictureView.ten + [PictureView(.random(edge: 9, down: 0.6, right: 0.2), isMirrored: true)] {
                #expect(try set.pixels(of: [1], views: [view]) == picture.square(8, view).pixels)
            }
            let subset = set.subset([3, 1])
            #expect(try subset.pixels(of: [1]) == set.pixels(of: [1]) && subset.labels == [1, 0])
            #expect(subset.fingerprint != set.fingerprint)
        }
    }
}
