#!/usr/bin/env python3
"""Prove that imports point only downward, and keep the house in order: prints FILE:LINE: PROBLEM lines, exit code 1 if any.

Layers are the targets in the order in which Package.swift declares them. In Sources a file may import a module of the package
only if its target declares it as a direct dependency, and a target may depend only on targets declared above it. Besides:
no file of code over 450 lines, no forced try, no '@testable' import, no notes of things left to do, no folders of one machine, no placeholders.

usage: lint_imports.py [ROOT]
"""

import json
import re
import subprocess
import sys
from pathlib import Path

FOLDERS = ("Sources", "Tests", "Experiments", "bench", "docs", "scripts", ".ci")
CODE = {".swift", ".c", ".h", ".py", ".sh"}
TEXT = CODE | {".md", ".yaml", ".yml", ".modulemap", ""}
GENERATED = {".build", ".venv", "__pycache__"}
LINE_LIMIT = 450
# Modules that come with the toolchain; all others must be declared in Package.swift.
TOOLCHAIN = {"Dispatch", "Foundation", "Glibc", "Swift", "Synchronization"}

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+"
    r"(?:(?:actor|class|enum|func|let|protocol|struct|typealias|var)\s+)?(\w+)"
)
# The words are put together here so that this file does not find itself.
FORCED_TRY = re.compile(r"\btry" + "!")
TESTABLE = re.compile(r"^\s*@testable\b")
LEFT_TO_DO = re.compile(r"\b(?:TO" + "DO|FIX" + r"ME)\b")
MACHINE_PATH = re.compile(r"(?<![\w.~$}/])/(?:work|tmp|root|home|Users|mnt)(?:/[\w.-]|\b(?=[\"'`]))")


def manifest_of(root):
    """Package.swift as the package manager understands it."""
    command = ["swift", "package", "--package-path", str(root), "dump-package"]
    try:
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    except FileNotFoundError:
        sys.exit("swift is not on the PATH; scripts/setup.sh says what is needed")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(command)} failed:\n{error.stderr.strip()}")


class Target:
    def __init__(self, description, place):
        self.name, self.kind, self.place = description["name"], description["type"], place
        self.path = description.get("path") or f"{'Tests' if self.kind == 'test' else 'Sources'}/{self.name}"
        # Each dependency is {"byName" | "target" | "product": [name, …]}; products of packages are modules of that name.
        self.dependencies = {next(iter(entry.values()))[0] for entry in description["dependencies"]}


def text_of(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def without_comment(line):
    """Enough for one-line rules: an address such as https:// is no comment."""
    return re.sub(r"(?<!:)//.*", "", line)


def declaration_problems(targets):
    """Dependencies on targets that are declared further down."""
    for target in targets.values():
        for name in sorted(target.dependencies & targets.keys()):
            if targets[name].place >= target.place:
                yield "Package.swift", 0, f"target {target.name} depends on {name}, which is declared below it"


def import_problems(root, targets):
    """Imports in Sources that the manifest does not declare, and declared dependencies that nothing imports."""
    for target in targets.values():
        if target.kind in ("system", "test") or target.path.startswith("Tests/"):
            continue
        files = sorted((root / target.path).rglob("*.swift"))
        imported = set()
        for file in files:
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                match = IMPORT.match(line)
                if not match:
                    continue
                name = match[1]
                imported.add(name)
                if name in TOOLCHAIN or name in target.dependencies:
                    continue
                place = file.relative_to(root)
                if name not in targets:
                    yield place, number, f"imports {name}, which is neither a declared dependency nor of the toolchain"
                elif targets[name].place >= target.place:
                    yield place, number, f"{target.name} imports {name}, which lies above it"
                else:
                    yield place, number, f"imports {name}, which {target.name} does not declare as a dependency"
        if files:
            for name in sorted(target.dependencies - imported):
                yield "Package.swift", 0, f"target {target.name} declares {name}, which none of its files imports"


def text_files(root):
    """Files that people write, at the top and in the folders of the project."""
    candidates = [path for path in root.iterdir() if path.is_file() and path.name != ".git"]
    for folder in FOLDERS:
        candidates += [path for path in (root / folder).rglob("*") if path.is_file()]
    for path in sorted(candidates):
        if path.suffix in TEXT and not GENERATED & set(path.relative_to(root).parts):
            yield path


def has_code(text):
    """Whether a Swift file holds more than comments and imports."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    lines = [without_comment(line).strip() for line in text.splitlines()]
    return any(line and not IMPORT.match(line) for line in lines)


def text_problems(root):
    for path in text_files(root):
        text, place = text_of(path), path.relative_to(root)
        if text is None:
            continue
        lines = text.splitlines()
        if path.suffix in CODE and len(lines) > LINE_LIMIT:
            yield place, len(lines), f"has {len(lines)} lines, more than {LINE_LIMIT}"
        is_stub = path.suffix == ".swift" and not has_code(text)
        if not text.strip() or is_stub or path.stem.lower().startswith("placeholder"):
            yield place, 1, "is a placeholder: nothing is in it"
        for number, line in enumerate(lines, 1):
            if path.suffix == ".swift" and FORCED_TRY.search(without_comment(line)):
                yield place, number, "forces a try; throw, or say why it cannot fail with a precondition"
            if path.suffix == ".swift" and TESTABLE.search(line):
                yield place, number, "imports what only debug builds let tests see; make it 'package'"
            if LEFT_TO_DO.search(line):
                yield place, number, "leaves a note of something to do"
            if found := MACHINE_PATH.search(line):
                yield place, number, f"names a folder of one machine: {found[0].strip()}…"


def problems(root, manifest):
    """All problems as (file, line, text); line 0 is the file as a whole."""
    targets = {entry["name"]: Target(entry, place) for place, entry in enumerate(manifest["targets"])}
    yield from declaration_problems(targets)
    yield from import_problems(root, targets)
    yield from text_problems(root)


def report(arguments, usage, find, summary):
    """Prints what `find` finds in the tree that `arguments` names, or else `summary`; ends with 1 if anything was found."""
    if len(arguments) > 1 or arguments[:1] == ["--help"]:
        sys.exit(usage)
    root = Path(arguments[0] if arguments else Path(__file__).parent.parent).resolve()
    found = list(find(root))
    for file, line, text in found:
        print(f"{file}:{line}: {text}" if line else f"{file}: {text}", flush=True)
    if found:
        sys.exit(f"lint: {len(found)} problem{'s' if len(found) > 1 else ''}")
    print(f"lint: {summary}")


if __name__ == "__main__":
    report(
        sys.argv[1:], __doc__, lambda root: problems(root, manifest_of(root)), "imports point downward, files are in order")
