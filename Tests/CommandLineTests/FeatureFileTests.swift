import Files
import Foundation
import TestSupport
import Testing

/// `prologue probe --features` and `prologue score` on files of other people.
@Suite struct FeatureFileTests {
    private static let classes = """
        import h5py, numpy as np
        r = np.random.default_rng(1)
        M = r.normal(size=(4, 6)) * 1.2
        def draw(n):
            y = r.integers(0, 4, n)
            return M[y] + r.normal(size=(n, 6)), y
        (X, y), (T, t) = draw(200), draw(100)
        def write(name, X=X, y=y, T=T, t=t):
            with h5py.File(name + ".h5", "w") as f:
                f["train_features"], f["train_labels"], f["test_features"], f["test_labels"] = X, y, T, t

        """

    /// Labels name classes, and neither their size nor their type matters; nor does an offset of the features.
    @Test func labelsAreNamesAndOffsetsAreNothing() throws {
        let place = try Workplace()
        let files = try place.python(
            Self.classes + """
                names = np.array([-5, 2**40, 2**62, 1440764])
                write("plain")
                write("offset", X=X + 1e9, T=T + 1e9)
                write("names", y=np.sort(names)[y], t=np.sort(names)[t])
                write("floats", y=y.astype("f4"), t=t.astype("f8"))
                write("column", y=y[:, None], t=t[:, None])
                for kind in ["i1", "u1", "i2", "u2", ">i4", ">i8", "u4"]: write(kind.strip(">"), y=y.astype(kind), t=t.astype(kind))
                write("big", X=X.astype(">f8"), T=np.asfortranarray(T))
                import glob; print(*sorted(glob.glob("*.h5")))
                """
        ).split(separator: " ").map(String.init)
        #expect(files.count == 13)
        let plain = try place.json("probe", "--features", "plain.h5", "--json")
        let top1 = try #require(plain["top1"]?.doubleValue)
        #expect(top1 > 0.6 && plain["classes"]?.intValue == 4 && plain["warnings"] == [] && plain["converged"] == true)
        for file in files {
            let found = try place.json("probe", "--features", file, "--json")
            #expect(abs((found["top1"]?.doubleValue ?? 0) - top1) < 0.011, "\(file)")
            #expect(found["classes"]?.intValue == 4, "\(file)")
        }
    }

    @Test(arguments: [
        ("T[5, 1] = np.inf", ["test_features row 5, column 1", "inf"]), ("X[150, 2] = np.nan", ["train_features row 150, column 2"]),
        ("t = t[:-1]", ["test_features has 100 rows", "99"]), ("y = np.eye(4)[y]", ["train_labels", "[200, 4]"]),
        ("y = y + 0.5", ["train_labels[0]", "whole number"]), ("X = X[:, :0]", ["train_features", "[200, 0]"]),
        ("T = T[:, :5]", ["6 columns", "5"]), ("X = X[:0]; y = y[:0]", ["train_features", "[0, 6]"]),
        ("X = X.astype('S5')", ["train_features"]), ("t = t.astype('S2')", ["test_labels"]),
        ("X = X.astype('c8')", ["train_features"]), ("X = X[0]", ["train_features", "[6]"]),
        ("X = np.ones((200, 400000), 'u1'); y = np.arange(200); T = X; t = y", ["200 different labels", "are the labels classes?"]),
    ])
    func whatCannotBeProbedIsNamed(_ change: String, _ says: [String]) throws {
        let place = try Workplace()
        _ = try place.python(Self.classes + change + "\nwrite('odd', X, y, T, t)")
        let ended = try place.run("probe", "--features", "odd.h5")
        #expect(ended.code == 2)
        for part in says + ["odd.h5"] { #expect(ended.errors.contains(part), "\(ended.errors)") }
    }

    @Test func oneClassAndUnknownClassesAreWarnedOf() throws {
        let place = try Workplace()
        _ = try place.python(Self.classes + "write('one', y=y * 0, t=t * 0); write('new', y=y % 3)")
        #expect(try place.run("probe", "--features", "one.h5").output.contains("of one class"))
        #expect(try place.run("probe", "--features", "new.h5").output.contains("classes without training rows (3)"))
    }

    /// The same numbers in any type that holds them, either byte order, either memory order.
    @Test func typesOfScoredFeaturesDecideNothing() throws {
        let place = try Workplace()
        let expected = try place.python(
            """
            import numpy as np
            r = np.random.default_rng(2)
            a, b = (np.round(r.normal(size=(60, 5)) * 20 + 60).clip(0, 127) for _ in "ab")
            np.savez("reference.npz", features=a)
            for t in ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f2", "f4", "f8"]:
                np.savez(t + ".npz", features=b.astype(t))
                np.savez(t + "-odd.npz", features=np.asfortranarray(b.astype(">" + t)))
            s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
            roots = np.sqrt(np.linalg.eigvals(s @ t).real.clip(0)).sum()
            print(float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + t) - 2 * roots))
            """)
        let distance = try #require(Double(expected))
        for type in ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f2", "f4", "f8"] {
            for file in [type, type + "-odd"] {
                let found = try place.json("score", "reference.npz", file + ".npz", "--json")
                let own = try #require(found["rows"]?.arrayValue?.first?["frechet"]?.doubleValue, "\(found)")
                #expect(abs(own - distance) < 1e-9 * distance, "\(file)")
            }
        }
    }

    /// A refusal ends with an error, after the numbers that could be measured; what a file has not got does not.
    @Test(arguments: [
        ("mu=np.zeros(3), sigma=np.diag([1, 1, -1.])", "not positive semidefinite"),
        ("mu=np.zeros(3), sigma=np.full((3, 3), np.nan)", "covariance[0, 0] is nan"),
        ("features=np.where(np.arange(1500)[:, None] == 1100, np.inf, np.ones((1500, 3)))", "'features' row 1100, column 0"),
        (
            "mu=np.zeros(3), sigma=np.eye(3), spatial=np.where(np.arange(1500)[:, None] == 1300, np.nan, np.ones((1500, 3)))",
            "'spatial' row 1300, column 0"
        ),
        ("features=np.ones((40, 3)), probabilities=np.full((40, 4), 0.5)", "add up to 2"),
        ("features=np.ones((0, 3))", "[0, 3]"), ("features=np.ones((40, 3), 'c8')", "'<c8'"),
        ("mu=np.zeros(3), sigma=np.eye(4)", "[4, 4]"), ("mu=np.zeros(2), sigma=np.eye(2)", "3 dimensions"),
    ])
    func whatCannotBeScoredIsAnError(_ arrays: String, _ says: String) throws {
        let place = try Workplace()
        _ = try place.python(
            """
            import numpy as np
            r = np.random.default_rng(3)
            np.savez("reference.npz", features=r.normal(size=(60, 3)), spatial=r.normal(size=(60, 3)))
            np.savez("odd.npz", \(arrays))
            """)
        let ended = try place.run("score", "reference.npz", "odd.npz")
        #expect(ended.code == 2 && ended.errors.contains(says), "\(ended.errors)\(ended.output)")
        let usual = try place.run("score", "reference.npz", "reference.npz")
        #expect(usual.code == 0 && usual.output.contains("has neither 'logits' nor"), "\(usual.errors)")
    }

    @Test func fewImagesAreWarnedOf() throws {
        let place = try Workplace()
        _ = try place.python(
            """
            import numpy as np
            np.savez("few.npz", features=np.random.default_rng(4).normal(size=(29, 128)))
            """)
        let found = try place.json("score", "few.npz", "few.npz", "--json")
        #expect(found["warnings"]?.arrayValue?.first?.stringValue?.contains("29 images of reference for 128 features") == true)
    }
}
