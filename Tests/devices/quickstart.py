"""The quickstart at a tenth of its steps on this program's own kernels, with two seeds, and on the device of a PJRT plugin, with one.

    python3 Tests/devices/quickstart.py [--folder FOLDER] PROLOGUE [SETTING=VALUE ...]

Shown is that both arms finish there; that their scores differ from those of the same seed here by no more, on the mean, than those of
two seeds here do; and that the likeliest tokens of the same weights, with guidance and without, are equal one by one. Further settings
are given to all, as `sampling.count=500` to be done sooner. The stores stay in FOLDER if one
is named, where a later call goes on. The plugin is the first of this machine, or PROLOGUE_PJRT_PLUGIN.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

import h5py

SWEEP = os.path.join(os.path.dirname(__file__), "..", "..", "Experiments", "01-quickstart", "sweep.yaml")
TENTH = [
    "tokenizer.steps=100", "tokenizer.optimizer.warmup=20", "tokenizer.ema_half_life=20",
    "prior.steps=60", "prior.optimizer.warmup=20", "prior.ema_half_life=20",
]


def main(program, more, folder):
    def prologue(store, *arguments):
        ended = subprocess.run(
            [program, *arguments], env={**os.environ, "PROLOGUE_STORE": store}, stdout=subprocess.PIPE, text=True)
        if ended.returncode:
            sys.exit(f"{' '.join(arguments)} ended with {ended.returncode}")
        return ended.stdout

    def scores(store, device, seeds):
        start = time.time()
        settings = [f"--set={setting}" for setting in [*TENTH, f"seeds={seeds}", *more]]
        prologue(store, "sweep", "run", SWEEP, "--device", device, "--quiet", *settings)
        print(f"{device}, seeds {seeds}: {time.time() - start:.0f} s", flush=True)
        rows = json.loads(prologue(store, "runs", "export", "--all-settings", "--json", "--quiet"))["rows"]
        return {
            (row["cell"], row["config.seed"]): {
                name: value for name, value in row.items() if name.startswith("metrics.") and value is not None
            }
            for row in rows
        }, {row["cell"]: row["run"] for row in rows if row["config.seed"] == 0}

    with contextlib.nullcontext(folder) if folder else tempfile.TemporaryDirectory() as folder:
        here, there = os.path.join(folder, "here"), os.path.join(folder, "there")
        (ours, runs), (theirs, _) = scores(here, "cpu", [0, 1]), scores(there, "xla", [0])
        failed = False
        print(f"{'arm':14}{'scores':>8}{'device from here':>20}{'seed from seed':>20}")
        for arm in sorted(runs):
            first, second, device = ours[arm, 0], ours[arm, 1], theirs[arm, 0]
            if set(first) != set(device) or not device:
                sys.exit(f"{arm}: scores of one side alone: {sorted(set(first) ^ set(device))}")
            gaps = [mean_gap(first, other, first.keys() & second.keys()) for other in (device, second)]
            failed |= gaps[0] > gaps[1]
            print(f"{arm:14}{len(device):8}{gaps[0]:20.4f}{gaps[1]:20.4f}", flush=True)
        for arm, run in sorted(runs.items()):
            for guidance in ("0", "1.5"):
                tokens = []
                for device in ("cpu", "xla"):
                    said = prologue(
                        here, "sample", run, "--top-k", "1", "--guidance", guidance, "--count", "40", "--device", device, "--quiet")
                    with h5py.File(said.split()[-1]) as file:
                        tokens.append(file["tokens"][()])
                equal = int((tokens[0] == tokens[1]).sum())
                failed |= equal != tokens[0].size
                print(f"{arm}, guidance {guidance}: {equal} of {tokens[0].size} likeliest tokens equal", flush=True)
        sys.exit(1 if failed else 0)


def mean_gap(a, b, names):
    """Mean over scores of their difference, as a share of their size."""
    return sum(abs(a[name] - b[name]) / (abs(a[name]) + abs(b[name]) or 1) for name in names) / len(names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder")
    parser.add_argument("program")
    parser.add_argument("settings", nargs="*")
    given = parser.parse_args()
    main(given.program, given.settings, given.folder)
