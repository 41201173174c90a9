import Files
import Foundation
import ImageData
import TestSupport
import Testing

/// The competition's files in a synthetic archive of their layout.
@Suite struct ImageNetTests {
    /// A tree, the zip file of it, and what Pillow sees of every picture's middle, in the order that is expected.
    private static let make = """
        import json, numpy as np, os, random, sys, zipfile
        from PIL import Image
        root = sys.argv[1]
        rng = np.random.default_rng(2)
        words = {"n01440764": "tench, Tinca tinca", "n02012849": "crane", "n03126707": "crane", "n07753592": "banana"}
        data = root + "/tree/ILSVRC/Data/CLS-LOC"
        truth = {"train": [], "val": []}
        def save(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            a = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
            picture = Image.fromarray(a).resize((int(rng.integers(16, 40)), int(rng.integers(16, 40))), Image.BICUBIC)
            # One of the competition's files is a PNG by another name.
            picture.save(path, "PNG" if path.endswith("_9.JPEG") else "JPEG", quality=95)
        for label, synset in enumerate(sorted(words)):
            for number in random.Random(label).sample([3, 9, 10, 21], 3):
                save(f"{data}/train/{synset}/{synset}_{number}.JPEG")
        answers = ["ImageId,PredictionString"]
        for number in range(1, 9):
            name = f"ILSVRC2012_val_{number:08d}"
            save(f"{data}/val/{name}.JPEG")
            synset = sorted(words)[number * 3 % 4]
            answers.append(f"{name},{synset} 1 2 3 4 n01440764 5 6 7 8 " if number % 2 else f"{name},{synset} 1 2 3 4 ")
            truth["val"].append(number * 3 % 4)
            notes = root + "/tree/ILSVRC/Annotations/CLS-LOC/val"
            os.makedirs(notes, exist_ok=True)
            open(f"{notes}/{name}.xml", "w").write(f"<annotation><object>\\n<name>{synset}</name></object></annotation>")
        answers[1:] = reversed(answers[1:])
        open(root + "/tree/LOC_synset_mapping.txt", "w").write("".join(f"{s} {words[s]}\\n" for s in sorted(words)))
        open(root + "/tree/LOC_val_solution.csv", "w").write("\\n".join(answers))
        os.makedirs(root + "/tree/ILSVRC/Data/CLS-LOC/test")
        open(root + "/tree/ILSVRC/Data/CLS-LOC/test/none.JPEG", "w").write("no picture")
        files = [os.path.relpath(os.path.join(d, f), root + "/tree") for d, _, fs in os.walk(root + "/tree") for f in fs]
        random.Random(1).shuffle(files)
        with zipfile.ZipFile(root + "/imagenet.zip", "w", zipfile.ZIP_STORED) as z:
            for f in files: z.write(f"{root}/tree/{f}", f)
        print(json.dumps(truth))
        """

    @Test func archiveAndTreeAreTheSameData() throws {
        try withTemporaryFolder { root in
            let truth = try JSONValue(parsing: Data(python(Self.make, root.path).utf8))
            let zip = try ImageNet(opening: root.appendingPathComponent("imagenet.zip"), imageSize: 16).data
            #expect(zip.train.classNames == ["tench", "crane (n02012849)", "crane (n03126707)", "banana"])
            #expect(zip.train.labels == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
            #expect(zip.test.labels.map(Int.init) == truth["val"]?.arrayValue?.compactMap(\.intValue))
            for place in ["tree", "tree/ILSVRC"] {
                let tree = try ImageNet(opening: root.appendingPathComponent(place), imageSize: 16).data
                #expect(tree.train.fingerprint == zip.train.fingerprint && tree.test.fingerprint == zip.test.fingerprint, "\(place)")
                #expect(try tree.train.pixels(of: 0..<12) == zip.train.pixels(of: 0..<12))
            }
            // In order of name: 10 before 21, both before 3 and 9.
            let folder = root.appendingPathComponent("tree/ILSVRC/Data/CLS-LOC/train/n07753592")
            let first = try #require(
                FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().first { !$0.hasSuffix("_9.JPEG") })
            let place = 9 + (try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().firstIndex(of: first) ?? 0)
            #expect(try zip.train.pixels(of: [place]) == JPEG.read(folder.appendingPathComponent(first)).square(16).pixels)
            #expect(
                try ImageNet(opening: root.appendingPathComponent("imagenet.zip"), imageSize: 8).data.test.fingerprint
                    != zip.test.fingerprint)
        }
    }

    /// Opened again, the list is read instead of the archive, which therefore may be anything meanwhile.
    @Test func theListIsKept() throws {
        try withTemporaryFolder { root in
            _ = try python(Self.make, root.path)
            let (url, kept) = (root.appendingPathComponent("imagenet.zip"), root.appendingPathComponent("data/list"))
            let first = try ImageNet(opening: url, imageSize: 16, kept: kept)
            let pixels = try first.data.test.pixels(of: [3])
            let same = try ImageNet(opening: url, imageSize: 16, kept: kept).data
            #expect(same.train.fingerprint == first.data.train.fingerprint && same.train.classNames == first.data.train.classNames)
            #expect(try same.test.pixels(of: [3]) == pixels)
            _ = try python(
                """
                import os, sys
                s = os.stat(sys.argv[1])
                open(sys.argv[1], "wb").write(bytes(s.st_size))
                os.utime(sys.argv[1], ns=(s.st_atime_ns, s.st_mtime_ns))
                """, url.path)
            let again = try ImageNet(opening: url, imageSize: 16, kept: kept)
            #expect(again.data.test.labels == first.data.test.labels && again.data.test.fingerprint == first.data.test.fingerprint)
            let error = #expect(throws: InputError.self) { try again.data.test.pixels(of: [0]) }
            #expect(error?.message.contains("imagenet.zip") == true)
            // Another time is another file; a damaged list is said and made anew.
            _ = try python("import os, sys; os.utime(sys.argv[1])", url.path)
            #expect(throws: InputError.self) { try ImageNet(opening: url, imageSize: 16, kept: kept) }
            let tree = root.appendingPathComponent("tree")
            _ = try ImageNet(opening: tree, imageSize: 16, kept: kept)
            var bytes = try Data(contentsOf: kept)
            bytes[bytes.count / 2] ^= 4
            try bytes.write(to: kept)
            let mended = try ImageNet(opening: tree, imageSize: 16, kept: kept)
            #expect(mended.remarks.count == 1 && mended.remarks[0].contains("damaged"))
            #expect(try ImageNet(opening: tree, imageSize: 16, kept: kept).remarks.isEmpty)
        }
    }

    @Test func annotationsStandInForTheList() throws {
        try withTemporaryFolder { root in
            _ = try python(Self.make, root.path)
            let tree = root.appendingPathComponent("tree")
            let labels = try ImageNet(opening: tree, imageSize: 16).data.test.labels
            try FileManager.default.removeItem(at: tree.appendingPathComponent("LOC_val_solution.csv"))
            #expect(try ImageNet(opening: tree, imageSize: 16).data.test.labels == labels)
            try FileManager.default.removeItem(at: tree.appendingPathComponent("LOC_synset_mapping.txt"))
            #expect(
                try ImageNet(opening: tree, imageSize: 16).data.train.classNames == ["n01440764", "n02012849", "n03126707", "n07753592"])
            try FileManager.default.removeItem(at: tree.appendingPathComponent("ILSVRC/Annotations"))
            let error = #expect(throws: InputError.self) { try ImageNet(opening: tree, imageSize: 16) }
            #expect(error?.message.contains("LOC_val_solution.csv") == true && error?.message.contains("ILSVRC2012_val_0000000") == true)
        }
    }

    @Test func whatIsMissingIsNamed() throws {
        try withTemporaryFolder { root in
            _ = try python(Self.make, root.path)
            func message(_ name: String) -> String {
                let error = #expect(throws: InputError.self) { try ImageNet(opening: root.appendingPathComponent(name), imageSize: 16) }
                return error?.message ?? ""
            }
            #expect(message("none.zip").contains("ILSVRC"))
            let tree = root.appendingPathComponent("tree")
            try Data("n01440764 tench\nn99 odd\n".utf8).write(to: tree.appendingPathComponent("LOC_synset_mapping.txt"))
            #expect(message("tree").contains("LOC_synset_mapping.txt:2"))
            try Data("n01440764 tench\nn02012849 crane\nn03126707 crane\nn07753593 banana\n".utf8)
                .write(to: tree.appendingPathComponent("LOC_synset_mapping.txt"))
            #expect(message("tree").contains("no line for n07753592") && message("tree").contains("n07753593"))
            try FileManager.default.removeItem(at: tree.appendingPathComponent("ILSVRC/Data/CLS-LOC/val"))
            #expect(message("tree").contains("no validation images") || message("tree").contains("CLS-LOC/val"))
        }
    }
}
