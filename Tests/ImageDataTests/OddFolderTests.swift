import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// Folders and zip files as strangers have them: links, names, nesting, large members.
@Suite struct OddFolderTests {
    /// Two classes of three small pictures each in both halves; `more` is Python that adds to it, with `root`, `png`.
    private static func make(_ folder: URL, _ more: String) throws -> URL {
        let root = folder.appendingPathComponent("pictures")
        _ = try python(
            """
            import io, os, sys, unicodedata, zipfile
            from PIL import Image
            root = sys.argv[1]
            def png(level):
                b = io.BytesIO(); Image.new("L", (8, 8), level).save(b, "PNG"); return b.getvalue()
            for half in ("train", "test"):
                for name in "ab":
                    os.makedirs(f"{root}/{half}/{name}")
                    for i in range(3): open(f"{root}/{half}/{name}/{i}.png", "wb").write(png(10 * i))
            \(more)
            """, root.path)
        return root
    }

    /// What neither is a folder nor a file is an error that names it, or skipped and counted.
    @Test(arguments: [
        ("os.symlink('/nowhere', f'{root}/train/c')", "c: is a link that leads nowhere"),
        ("os.symlink('c', f'{root}/train/c')", "c: is a link that leads nowhere"),
        ("os.mkdir(os.fsencode(root) + b'/train/caf\\xe9')", "has a name that is no UTF-8"),
        ("os.symlink('/nowhere', f'{root}/train/a/x.png')", "a/x.png: is a link that leads nowhere"),
        ("os.symlink('..', f'{root}/train/a/up')", "a/up: is a link that leads back"),
        ("os.symlink('.', f'{root}/train/a/here')", "a/here: is a link that leads back"),
        ("os.mkfifo(f'{root}/train/a/pipe.png')", "a/pipe.png: is no file and no folder"),
        ("open(os.fsencode(root) + b'/test/b/\\xff.png', 'wb').write(png(1))", "has a name that is no UTF-8"),
        ("os.mkdir(f'{root}/other'); os.symlink('/nowhere', f'{root}/valid')", "valid: is a link that leads nowhere"),
    ])
    func whatCannotBeUsedIsNamed(_ more: String, _ says: String) throws {
        try withTemporaryFolder { folder in
            let root = try Self.make(folder, more)
            let message = try #require(throws: InputError.self) { _ = try ImageFolder(opening: root, imageSize: 8) }.message
            #expect(message.contains(says) && message.contains("data.broken: skip"), "\(message)")
            let loaded = try ImageFolder(opening: root, imageSize: 8, broken: .skip)
            #expect(loaded.skipped.count == 1 && loaded.skipped[0].contains(says), "\(loaded.skipped)")
            #expect(loaded.data.train.count == 6 && loaded.data.test.count == 6)
        }
    }

    /// A class that only one half has because it could not be read is said to be that.
    @Test func theLikelyCauseIsSaid() throws {
        try withTemporaryFolder { folder in
            let root = try Self.make(folder, "os.rename(f'{root}/train/b', f'{root}/b'); os.symlink('../c', f'{root}/train/b')")
            let message = try #require(throws: InputError.self) { _ = try ImageFolder(opening: root, imageSize: 8) }.message
            #expect(message.contains("lacks the class 'b'") && message.contains("train/b: is a link that leads nowhere"), "\(message)")
        }
    }

    @Test func foldersBelowAClassBelongToIt() throws {
        try withTemporaryFolder { folder in
            let root = try Self.make(
                folder, "os.makedirs(f'{root}/train/a/images/more'); open(f'{root}/train/a/images/more/9.png', 'wb').write(png(200))")
            let train = try ImageFolder(opening: root, imageSize: 8, channels: 1).data.train
            #expect(train.labels == [0, 0, 0, 0, 1, 1, 1])
            #expect(try train.pixels(of: [3]).first == 200)
        }
    }

    /// Names that differ only in how an accent is written are two names, in a folder, in a zip file and in what was kept.
    @Test(arguments: [true, false])
    func namesAreComparedByTheirBytes(_ zipped: Bool) throws {
        try withTemporaryFolder { folder in
            let more = """
                for half in ("train", "test"):
                    for form, level in (("NFC", 100), ("NFD", 200)):
                        os.makedirs(f"{root}/{half}/" + unicodedata.normalize(form, "é"))
                        for n, f in enumerate(("NFC", "NFD")):
                            name = unicodedata.normalize(form, "é") + "/" + unicodedata.normalize(f, "é.png")
                            open(f"{root}/{half}/{name}", "wb").write(png(level + n))
                with zipfile.ZipFile(root + ".zip", "w") as z:
                    for d, _, files in os.walk(root):
                        for f in files: z.write(f"{d}/{f}", os.path.relpath(f"{d}/{f}", root))
                """
            let root = try Self.make(folder, more)
            let place = zipped ? root.appendingPathExtension("zip") : root
            let kept = folder.appendingPathComponent("survey.tsv")
            let first = try ImageFolder(opening: place, imageSize: 8, channels: 1, survey: kept).data.train
            #expect(first.count == 10 && first.classNames.count == 4)
            let levels = try first.pixels(of: 6..<10)
            #expect(Set(stride(from: 0, to: levels.count, by: 64).map { levels[$0] }) == [100, 101, 200, 201])
            var looked = 0
            let again = try ImageFolder(opening: place, imageSize: 8, channels: 1, survey: kept) { looked = max($0, $1) }
            #expect(looked == 0 && again.data.train.fingerprint == first.fingerprint)
            if zipped { return }
            // A change of one of them is seen.
            _ = try python(
                "import sys, unicodedata; from PIL import Image; Image.new('L', (8, 8), 7).save(sys.argv[1] + '/train/a/0.png'); "
                    + "Image.new('L', (8, 8), 9).save(sys.argv[1] + '/train/' + unicodedata.normalize('NFD', 'é/é.png'))", root.path)
            let changed = try ImageFolder(opening: place, imageSize: 8, channels: 1, survey: kept).data.train
            #expect(changed.fingerprint != first.fingerprint)
            let new = try changed.pixels(of: 0..<10)
            #expect(Set(stride(from: 0, to: new.count, by: 64).map { new[$0] }).isSuperset(of: [7, 9]))
        }
    }

    @Test func zipNamesOfOtherSystemsAreRead() throws {
        try withTemporaryFolder { folder in
            let more = """
                for name, f in (("dots", lambda n: "./" + n), ("windows", lambda n: n.replace("/", "\\\\")), ("twice", lambda n: n.replace("/", "//"))):
                    with zipfile.ZipFile(f"{root}-{name}.zip", "w") as z:
                        for half in ("train", "test"):
                            for c in "ab":
                                for i in range(3):
                                    info = zipfile.ZipInfo("x"); info.filename = f(f"{half}/{c}/{i}.png")
                                    z.writestr(info, png(10 * i))
                with zipfile.ZipFile(root + "-up.zip", "w") as z: z.writestr("../train/a/0.png", png(1))
                """
            let root = try Self.make(folder, more)
            let plain = try ImageFolder(opening: root, imageSize: 8).data
            for name in ["dots", "windows", "twice"] {
                let zip = try ImageFolder(opening: URL(fileURLWithPath: "\(root.path)-\(name).zip"), imageSize: 8).data
                #expect(zip.train.fingerprint == plain.train.fingerprint && zip.train.classNames == ["a", "b"], "\(name)")
                #expect(try zip.test.pixels(of: [4]) == plain.test.pixels(of: [4]))
            }
            let up = try #require(throws: InputError.self) {
                _ = try ImageFolder(opening: URL(fileURLWithPath: "\(root.path)-up.zip"), imageSize: 8)
            }.message
            #expect(up.contains("../train/a/0.png"))
        }
    }

    /// A member that unfolds to more than any picture is refused before it is unfolded.
    @Test func membersThatUnfoldToMuchAreRefused() throws {
        try withTemporaryFolder { folder in
            let more = """
                with zipfile.ZipFile(root + ".zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
                    for half in ("train", "test"):
                        for c in "ab": z.write(f"{root}/{half}/{c}/0.png", f"{half}/{c}/0.png")
                    z.writestr("train/a/bomb.png", bytes(300 << 20))
                """
            let zip = try Self.make(folder, more).appendingPathExtension("zip")
            let loaded = try ImageFolder(opening: zip, imageSize: 8, broken: .skip)
            #expect(loaded.skipped.count == 1 && loaded.skipped[0].contains("bomb.png") && loaded.skipped[0].contains("more than"))
        }
    }

    /// Bytes between a JPEG's data and its end are no damage; in the middle of its data they are.
    @Test func fillingBeforeTheEndOfAJPEGIsRead() throws {
        try withTemporaryFolder { folder in
            let printed = try python(
                """
                import io, sys, numpy as np
                from PIL import Image
                a = np.random.default_rng(3).integers(0, 256, (4, 5, 3), dtype="u1")
                for name, more in [("base", {}), ("progressive", {"progressive": True}), ("restarts", {"restart_marker_blocks": 2})]:
                    b = io.BytesIO(); Image.fromarray(a).resize((40, 32), Image.BICUBIC).save(b, "JPEG", **more); b = b.getvalue()
                    assert b[-2:] == b"\\xff\\xd9"
                    open(f"{sys.argv[1]}/{name}.jpg", "wb").write(b)
                    open(f"{sys.argv[1]}/{name}-filled.jpg", "wb").write(b[:-2] + bytes(9) + b[-2:])
                    image = np.asarray(Image.open(f"{sys.argv[1]}/{name}-filled.jpg"))
                    assert (image == np.asarray(Image.open(f"{sys.argv[1]}/{name}.jpg"))).all()
                    if name == "restarts":
                        at = b.index(b"\\xff\\xd0")
                        open(f"{sys.argv[1]}/damaged.jpg", "wb").write(b[:at] + bytes([1] * 9) + b[at:])
                """, folder.path)
            #expect(printed.isEmpty)
            for name in ["base", "progressive", "restarts"] {
                let whole = try JPEG.read(folder.appendingPathComponent("\(name).jpg"))
                #expect(try JPEG.read(folder.appendingPathComponent("\(name)-filled.jpg")) == whole)
            }
            #expect(throws: InputError.self) { try JPEG.read(folder.appendingPathComponent("damaged.jpg")) }
        }
    }
}
