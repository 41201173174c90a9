#!/usr/bin/env python3
"""Check that every cited section of docs/method.md exists: prints FILE:LINE: PROBLEM lines, exit code 1 if any.

A citation is "§" and a number, anywhere in code, settings and documentation: "method §3.4". Sections are the page's headings,
"### 3.4 Transformer layer", which must be numbered in order.

usage: lint_method.py [ROOT]
"""

import re
import sys
from pathlib import Path

from lint_imports import report, text_files, text_of

METHOD = Path("docs/method.md")
CITATION = re.compile(r"§\s?(\d+(?:\.\d+)*)")
HEADING = re.compile(r"^(#+) (\d+(?:\.\d+)*)\b")


def sections_of(text):
    """The numbers of the page's sections with their lines, in order."""
    for line_number, line in enumerate(text.splitlines(), 1):
        if match := HEADING.match(line):
            yield line_number, match[2]


def order_problems(sections):
    """Headings that do not follow the one before: 3.4 may be followed by 3.4.1, 3.5 or 4."""
    before = [0]
    for line_number, section in sections:
        parts = [int(part) for part in section.split(".")]
        following = [before[:depth] + [before[depth] + 1] for depth in range(len(before))] + [before + [1]]
        if parts not in following:
            yield METHOD, line_number, f"section {section} does not follow {'.'.join(map(str, before))}"
        before = parts


def problems(root):
    page = text_of(root / METHOD) if (root / METHOD).is_file() else None
    if page is None:
        yield METHOD, 0, "is missing"
        return
    sections = list(sections_of(page))
    yield from order_problems(sections)
    known = {section for _, section in sections}
    for path in text_files(root):
        # The lint's own test has citations that are wrong.
        if path.name == "test_lint_method.py":
            continue
        for line_number, line in enumerate((text_of(path) or "").splitlines(), 1):
            for section in CITATION.findall(line):
                if section not in known:
                    yield path.relative_to(root), line_number, f"cites §{section}, which {METHOD} does not have"


if __name__ == "__main__":
    report(sys.argv[1:], __doc__, problems, "every cited section of the method exists")
