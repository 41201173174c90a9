#!/usr/bin/env python3
"""Check that code uses the field's terms: prints FILE:LINE: PROBLEM lines, exit code 1 if any.

usage: lint_names.py [ROOT]
"""

import re
import sys

from lint_imports import report, text_of

CODE = {".swift", ".c", ".h"}

ENGINE = ("CKernels", "TensorCore", "NN", "Models", "Verification")

# What must not be found in Sources, what is said instead, and the targets in which it is looked for (none: all of them).
REPLACED = [
    (r"\bjudge[sd]?\b|Judge", "discriminator", ()),
    (r"(?i)frugal", "recompute", ()),
    (r"\bnetwork2\b", "a name that says which network", ()),
    (r"\w*Panels\b", "packed weights", ENGINE),
    (r"(?i)\bturned\b", "rotated", ENGINE),
    (r"(?i)\boutlines?\b", "meta model", ENGINE),
    (r"\b(?:expand|contract)\b(?!\()", "up or down projection", ENGINE),
    (r"\bRounded[A-Z]\w*", "BFloat16…", ENGINE),
    (r"(?i)crew", "pool", ()),
    (r"(?i)\bbury\b", "reap", ()),
    (r"(?i)\bcomplaints?\b", "standard error, or problems", ()),
    (r"(?i)sends everyone", "requests cancellation", ()),
]


def problems(root):
    sources = root / "Sources"
    for path in sorted(sources.rglob("*")):
        if path.suffix not in CODE:
            continue
        target = path.relative_to(sources).parts[0]
        for line_number, line in enumerate((text_of(path) or "").splitlines(), 1):
            for pattern, instead, targets in REPLACED:
                if (not targets or target in targets) and (found := re.search(pattern, line)):
                    yield path.relative_to(root), line_number, f"'{found[0]}': say {instead}"


if __name__ == "__main__":
    report(sys.argv[1:], __doc__, problems, "names are the field's terms")
