"""The check of pointers on small trees. Run by `make lint`."""

import tempfile
import unittest
from pathlib import Path

from lint_pointers import problems


def target(name, *dependencies, kind="regular"):
    return {"name": name, "type": kind, "dependencies": [{"byName": [other, None]} for other in dependencies]}


TARGETS = [target("CKernels"), target("TensorCore", "CKernels"), target("NN", "TensorCore"), target("Files"),
           target("NNTests", "NN", "CKernels", kind="test")]


def lint(files, targets=TARGETS):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return [f"{file}:{line}: {text}" for file, line, text in problems(root, {"targets": targets})]


class PointerTests(unittest.TestCase):
    def test_pointers_in_and_below_the_engine(self):
        code = "let p = x.pointer + 1\nwithUnsafeBytes(of: p) { $0.baseAddress }\n"
        self.assertEqual(lint({"Sources/TensorCore/A.swift": code, "Sources/Files/A.swift": code}), [])

    def test_pointers_above_it(self):
        for line in ["x.pointer[0] = 1", "var p: UnsafeMutablePointer<Float>", "a.withUnsafeBufferPointer { f($0) }",
                     "p.baseAddress!", "raw.assumingMemoryBound(to: Float.self)", "UnsafeRawBufferPointer(p)"]:
            found = lint({"Sources/NN/A.swift": f"import TensorCore\n{line}\n"})
            self.assertEqual(len(found), 1, line)
            self.assertTrue(found[0].startswith("Sources/NN/A.swift:2: reaches memory with "), found)

    def test_words_that_only_look_like_it(self):
        code = "/// x.pointer is not for us\nlet pointers = place.pointerCount\nx.read { $0[0] }  // withUnsafeBytes\n"
        self.assertEqual(lint({"Sources/NN/A.swift": code}), [])

    def test_kernels_belong_to_the_engine(self):
        found = lint({}, TARGETS + [target("Models", "TensorCore", "CKernels")])
        self.assertEqual(found, ["Package.swift:0: target Models depends on CKernels, which is TensorCore's alone"])


if __name__ == "__main__":
    unittest.main()
