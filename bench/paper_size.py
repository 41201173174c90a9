#!/usr/bin/env python3
"""Import and sample models of the paper's sizes, with random weights, and print time and largest resident memory.

usage: paper_size.py [--prior B|L|XL] [--samples N] [--program PATH]

The tokenizer is the paper's L (decoder 24 x 1024, codebook 4096); the prior has 273 tokens with EOS and 1000 classes.
Weights come from the PyTorch twin and are laid out as released checkpoints are. XL needs 8 GB of disk for a while.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRIORS = {"B": (12, 768, 12), "L": (24, 1024, 16), "XL": (32, 1280, 20)}


def write_models(folder, layers, width, heads):
    """Runs in a process of its own, so that its memory does not count."""
    sys.path.insert(0, str(ROOT / "Tests/reference"))
    import dataclasses

    import torch
    from prior import Prior
    from safetensors.torch import save_file
    from tokenizer import Decoder, Encoder, Sizes

    torch.manual_seed(0)
    d = width // heads
    axes = lambda d: [d - 2 * (d // 8 * 2), d // 8 * 2, d // 8 * 2]
    sizes = Sizes(tokenizer="prologue", dim=768, heads=12, layers=12, axes=axes(64), img=256, ch=3, patch=16, vis=4096,
                  sem=1024, zlen=16, zdim=14, classes=1001, ar_dim=width, ar_heads=heads, ar_layers=layers,
                  ar_axes=axes(d), condition=32)
    wide = dataclasses.replace(sizes, dim=1024, heads=16, layers=24)
    parts = {"tokenizer/model_2": Encoder(sizes), "tokenizer/model_3": Decoder(wide), "prior/model_1": Prior(sizes)}
    for name, module in parts.items():
        path = folder / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.detach().contiguous() for key, value in module.named_parameters()}
        print(f"{name}: {sum(t.numel() for t in tensors.values()) / 1e6:.0f} M parameters", flush=True)
        save_file(tensors, path)


def measured(command):
    """Largest resident memory of one child: each is measured by a parent of its own."""
    script = ("import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)")
    began = time.time()
    done = subprocess.run([sys.executable, "-c", script, *map(str, command)], stderr=subprocess.PIPE, text=True)
    *errors, peak = done.stderr.strip().split("\n")
    print("\n".join(errors))
    print(f"  {' '.join(map(str, command[1:4]))} …: {time.time() - began:.0f} s, {int(peak) / 2**20:.1f} GiB", flush=True)
    if done.returncode:
        sys.exit(done.returncode)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--prior", choices=PRIORS, default="XL")
    arguments.add_argument("--samples", type=int, default=2)
    arguments.add_argument("--program", default=ROOT / ".build/release/prologue")
    arguments.add_argument("--write", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.write:
        return write_models(Path(given.write), *PRIORS[given.prior])
    with tempfile.TemporaryDirectory() as folder:
        released, store = Path(folder) / "released", Path(folder) / "store"
        subprocess.run([sys.executable, __file__, "--prior", given.prior, "--write", released], check=True)
        measured([given.program, "import", released, "--store", store])
        listed = subprocess.run([given.program, "runs", "list", "--json", "--store", store], capture_output=True, check=True)
        run = json.loads(listed.stdout)["rows"][0]["run"]
        measured([given.program, "sample", run, "--count", given.samples, "--store", store])


if __name__ == "__main__":
    main()
