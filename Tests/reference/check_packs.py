#!/usr/bin/env python3
"""Compare the twin with reference packs: a line per key, last line `N passed, N failed`, exit code 1 on a failure.

usage: check_packs.py DIR|PACK.safetensors ...
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from metrics import metrics
from twin import INPUTS, PARTS, Twin, load_pack, sizes_of


def relative_error(got, want):
    """Largest error over the largest entry of the expected tensor."""
    largest = want.abs().max().item()
    return (got.double() - want.double()).abs().max().item() / (largest or 1.0)


def judge(key, got, want, share_of_tolerance=1.0):
    """(passed, what to print) under the tolerances of the packs' README, or a share of them."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return False, f"{got.dtype} {list(got.shape)} where the pack has {want.dtype} {list(want.shape)}"
    if not want.is_floating_point():
        different = (got != want).sum().item()
        return different == 0, f"{different} of {want.numel()} differ"
    if key == "train.losses":
        error = ((got - want).abs() / want.abs()).max().item()
        return error <= 1e-4 * share_of_tolerance, f"relative error {error:.2e}"
    if key.startswith("train.final."):
        share = ((got - want).abs() <= 1e-4 * share_of_tolerance * want.abs().max()).double().mean().item()
        return share >= 0.99, f"{100 * share:.2f} % of entries agree"
    error = relative_error(got, want)
    return error <= (1e-4 if key.startswith("grad.") else 1e-5) * share_of_tolerance, f"error {error:.2e}"


def compare(want, got, judge, is_input):
    """Yields (passed, key, text) for every key that is either wanted or computed."""
    for key in sorted(set(want) | set(got)):
        if is_input(key) and key in want:
            continue
        if key not in got:
            yield False, key, "the twin does not compute this key"
        elif key not in want:
            yield False, key, "missing from the pack"
        else:
            passed, text = judge(key, got[key], want[key])
            yield passed, key, text


def check_model(path):
    document, tensors = load_pack(path)
    twin = Twin(sizes_of(document, tensors)).load(tensors)
    prefix = "train.final."
    final = [key[len(prefix):] for key in tensors if key.startswith(prefix)]
    got, cache_agrees = twin.reproduce(tensors, document["sampling"], len(tensors["train.losses"]), final)
    yield from compare(tensors, got, judge, lambda key: key in INPUTS or key.split(".")[0] in PARTS)
    for name, agrees in cache_agrees.items():
        yield agrees == document["sampling"][name]["kv_cache_agrees"], f"sampling.{name}.kv_cache_agrees", str(agrees)


def judge_metric(key, got, want):
    if got.shape != want.shape:
        return False, f"shape {got.shape} where the pack has {want.shape}"
    scale = 1.0 if key == "fid_same" else np.where(want == 0, 1.0, np.abs(want))
    error = np.max(np.abs(got - want) / scale)
    return error <= 1e-6, f"error {error:.2e}"


def check_metrics(path):
    pack = load_file(path)
    inputs = ("samples", "reference", "few_samples", "probabilities")
    yield from compare(pack, metrics(pack), judge_metric, lambda key: key in inputs)


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    torch.set_num_threads(1)  # the packs are too small to share
    packs = []
    for argument in map(Path, arguments):
        packs += sorted(argument.glob("*.safetensors")) if argument.is_dir() else [argument]
    passed = failed = 0
    for pack in packs:
        check = check_model if pack.with_suffix(".json").exists() else check_metrics
        for good, key, text in check(pack):
            print(f"{'ok    ' if good else 'FAILED'} {pack.stem}: {key}: {text}")
            passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
