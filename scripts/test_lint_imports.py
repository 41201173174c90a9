"""The lint on small trees: it must notice each kind of problem, and nothing else. Run by `make test`."""

import tempfile
import unittest
from pathlib import Path

from lint_imports import problems


def target(name, *dependencies, kind="regular"):
    return {"name": name, "type": kind, "dependencies": [{"byName": [other, None]} for other in dependencies]}


MANIFEST = {"targets": [
    target("CLib", kind="system"),
    target("Low", "CLib"),
    target("Middle", "Low"),
    {"name": "High", "type": "executable",
     "dependencies": [{"target": ["Middle", None]}, {"product": ["Yams", "Yams", None, None]}]},
    target("LowTests", "Low", kind="test"),
]}

SOUND = {
    "Sources/Low/Low.swift": "internal import CLib\nlet low = 1\n",
    "Sources/Middle/Middle.swift": "import Foundation\npublic import struct Low.Value\nlet middle = 2\n",
    "Sources/High/High.swift": "import Middle\n// import Low\n@preconcurrency import Yams\nlet high = 3\n",
    "Tests/LowTests/LowTests.swift": "import Testing\nimport Low\nlet test = 4\n",
}


def lint(changes=None, manifest=MANIFEST):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in (SOUND | (changes or {})).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return [f"{file}:{line}: {text}" for file, line, text in problems(root, manifest)]


class LintTests(unittest.TestCase):
    def expect(self, found, *wanted):
        self.assertEqual(len(found), len(wanted), found)
        for line, words in zip(found, wanted):
            self.assertIn(words, line)

    def test_a_sound_tree_has_no_problems(self):
        self.expect(lint())

    def test_an_upward_import(self):
        changed = {"Sources/Low/Up.swift": "let a = 1\nimport Middle\n"}
        self.expect(lint(changed), "Sources/Low/Up.swift:2: Low imports Middle, which lies above it")

    def test_an_import_past_the_declared_dependencies(self):
        changed = {"Sources/High/Deep.swift": "import Low\nlet a = 1\n"}
        self.expect(lint(changed), "Sources/High/Deep.swift:1: imports Low, which High does not declare")

    def test_an_unknown_module(self):
        changed = {"Sources/Middle/Other.swift": "import Yams\nlet a = 1\n"}
        self.expect(lint(changed), "Sources/Middle/Other.swift:1: imports Yams, which is neither")

    def test_a_dependency_that_is_not_used(self):
        changed = {"Sources/High/High.swift": "import Middle\nlet high = 3\n"}
        self.expect(lint(changed), "target High declares Yams, which none of its files imports")

    def test_a_declaration_that_points_upward(self):
        manifest = {"targets": [target("Low", "Middle"), target("Middle")]}
        changed = {"Sources/Low/Low.swift": "import Middle\nlet low = 1\n", "Sources/Middle/Middle.swift": "let middle = 2\n"}
        self.expect(lint(changed, manifest), "target Low depends on Middle, which is declared below it")

    def test_long_files(self):
        self.expect(lint({"Sources/Low/Long.swift": "let a = 1\n" * 451}), "has 451 lines")
        self.expect(lint({"Sources/Low/Long.swift": "let a = 1\n" * 450, "docs/long.md": "text\n" * 451}))

    def test_words_that_must_not_stay(self):
        changed = {"Sources/Low/Words.swift": "// try" + "! here\nlet a = try" + "! b()\n// FIX" + "ME\n"}
        self.expect(lint(changed), "Words.swift:2: forces a try", "Words.swift:3: leaves a note")

    def test_nothing_is_testable(self):
        self.expect(lint({"Tests/LowTests/Inner.swift": "@testable import Low\nlet a = 1\n"}), "Inner.swift:1: imports what only debug builds")

    def test_folders_of_one_machine(self):
        for path in ("home/someone", "root/.cache", "tmp/data"):
            self.expect(lint({"docs/page.md": "one\nsee /" + path + "\n"}), "docs/page.md:2: names a folder of one machine")
        self.expect(lint({"docs/page.md": "results/home/a, ~/home/b, /usr/share/datasets, either/or\n"}))

    def test_placeholders(self):
        self.expect(lint({"Sources/Low/Empty.swift": "// later\nimport CLib\n"}), "Empty.swift:1: is a placeholder")
        self.expect(lint({"Sources/Low/Placeholder.swift": "let a = 1\n"}), "Placeholder.swift:1: is a placeholder")


if __name__ == "__main__":
    unittest.main()
