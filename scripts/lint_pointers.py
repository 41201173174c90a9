#!/usr/bin/env python3
"""Check that nothing above TensorCore knows where tensors lie: prints FILE:LINE: PROBLEM lines, exit code 1 if any.

Targets that depend on TensorCore use no pointers, and CKernels is a dependency of TensorCore and of tests alone. What they need
of a tensor's memory is an op, or one of `values`, `read` and `overwrite` (Sources/TensorCore/HostAccess.swift).

usage: lint_pointers.py [ROOT]
"""

import re
import sys
from pathlib import Path

from lint_imports import Target, manifest_of, report, text_of, without_comment

ENGINE, KERNELS = "TensorCore", "CKernels"
POINTER = re.compile(r"\bUnsafe\w*Pointer\b|\bwithUnsafe\w*|\.pointer\b|\bbaseAddress\b|\bassumingMemoryBound\b")
# Bytes of pipes, arguments and records, which are no tensors.
BYTES = {
    "Sources/Experiment/Exchange/TensorBoardEvents.swift",
    "Sources/Experiment/Execution/WorkerMessage.swift",
    "Sources/Experiment/Execution/WorkerProcess.swift",
    "Sources/prologue/StandardOutput.swift",
}


def problems(root, manifest=None):
    targets = [Target(entry, place) for place, entry in enumerate((manifest or manifest_of(root))["targets"])]
    for target in targets:
        if target.kind == "test":
            continue
        if KERNELS in target.dependencies and target.name != ENGINE:
            yield "Package.swift", 0, f"target {target.name} depends on {KERNELS}, which is {ENGINE}'s alone"
        if ENGINE not in target.dependencies:
            continue
        for file in sorted((root / target.path).rglob("*.swift")):
            place = file.relative_to(root)
            if str(place) in BYTES:
                continue
            for number, line in enumerate((text_of(file) or "").splitlines(), 1):
                if found := POINTER.search(without_comment(line)):
                    yield place, number, f"reaches memory with {found[0]}; make it an op of {ENGINE}, or use values, read, overwrite"


if __name__ == "__main__":
    report(sys.argv[1:], __doc__, problems, "tensors' memory is reached in TensorCore alone")
