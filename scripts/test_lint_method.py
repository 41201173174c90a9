"""The check of citations on small trees. Run by `make lint`."""

import tempfile
import unittest
from pathlib import Path

from lint_method import problems

PAGE = "# The method\n\n## 1. Question\n\n## 2. Networks\n\n### 2.1 Norm\n\n### 2.2 Layer\n\n## 3. Training\n"


def lint(files, page=PAGE):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in ({"docs/method.md": page} | files).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return [f"{file}:{line}: {text}" for file, line, text in problems(root)]


class MethodTests(unittest.TestCase):
    def test_sections_that_exist(self):
        self.assertEqual(lint({"Sources/A/A.swift": "/// The norm (method §2.1), and §2, §3.\n", "docs/b.md": "§1"}), [])

    def test_sections_that_do_not_exist(self):
        found = lint({"Sources/A/A.swift": "let a = 1\n/// As in method §2.3 and §2.1\n", "Experiments/p/a.yaml": "a: 1  # §4\n"})
        self.assertEqual(found, [
            "Experiments/p/a.yaml:1: cites §4, which docs/method.md does not have",
            "Sources/A/A.swift:2: cites §2.3, which docs/method.md does not have"])

    def test_a_part_of_a_number_is_another_section(self):
        self.assertEqual(len(lint({"Sources/A/A.swift": "// method §2.10\n"})), 1)

    def test_headings_in_order(self):
        self.assertEqual(lint({}, "## 1. A\n### 1.2 B\n"), ["docs/method.md:2: section 1.2 does not follow 1"])
        self.assertEqual(lint({}, "## 1. A\n## 1. B\n"), ["docs/method.md:2: section 1 does not follow 1"])

    def test_a_page_that_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual([text for _, _, text in problems(Path(folder))], ["is missing"])


if __name__ == "__main__":
    unittest.main()
