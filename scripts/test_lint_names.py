"""The check of names on small trees. Run by `make lint`."""

import tempfile
import unittest
from pathlib import Path

from lint_names import problems


def lint(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return [f"{file}:{line}: {text}" for file, line, text in problems(root)]


class NameTests(unittest.TestCase):
    def test_terms_of_the_field(self):
        self.assertEqual(lint({"Sources/A/A.swift": "let discriminator = 1  // recomputes\n"}), [])

    def test_replaced_names(self):
        self.assertEqual(
            lint({"Sources/A/A.swift": "let a = 1\nlet frugalBlock = judge\n", "Sources/A/b.c": "int network2;\n"}),
            ["Sources/A/A.swift:2: 'judge': say discriminator", "Sources/A/A.swift:2: 'frugal': say recompute",
             "Sources/A/b.c:1: 'network2': say a name that says which network"])

    def test_other_words_and_other_folders(self):
        self.assertEqual(lint({"Sources/A/A.swift": "let judgement = 1\n", "docs/a.md": "a judge\n"}), [])


if __name__ == "__main__":
    unittest.main()
