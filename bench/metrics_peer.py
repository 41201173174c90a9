#!/usr/bin/env python3
"""Time the measures of sample quality in numpy and scipy, in turn with `prologue bench --metrics`, and print ratios.

Both sides get made-up features of one kind: uniform numbers, 2048 a row, whose spread falls from column to column over two
powers of ten. numpy does what people do there: covariance from the whole matrix, the matrix root of pytorch-fid (and, beside
it, the fastest exact way that scipy has), distances in tiles of 1024 by 1024 with the three nearest of each row.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy import linalg

ROOT = Path(__file__).resolve().parent.parent
DIMENSIONS, STREAMED, COMPARED, TILE, NEIGHBOURS = 2048, 50_000, 10_000, 1024, 3


def features(rows, seed):
    spreads = np.geomspace(1, 0.01, DIMENSIONS, dtype=np.float32)
    return spreads * np.random.default_rng(seed).uniform(-1, 1, (rows, DIMENSIONS)).astype(np.float32)


def statistics():
    whole = np.tile(features(1000, 0), (STREAMED // 1000, 1))
    return lambda: (whole.mean(0, dtype=np.float64), np.cov(whole, rowvar=False))


def gaussian(seed):
    rows = features(5000, seed)
    return rows.mean(0, dtype=np.float64), np.cov(rows, rowvar=False)


def root(a, b):
    (m, s), (n, t) = a, b
    return ((m - n) ** 2).sum() + np.trace(s + t) - 2 * np.trace(linalg.sqrtm(s @ t).real)


def eigenvalues(a, b):
    (m, s), (n, t) = a, b
    factor = linalg.cholesky(s, lower=True)
    inner = linalg.eigvalsh(factor.T @ t @ factor)
    return ((m - n) ** 2).sum() + np.trace(s + t) - 2 * np.sqrt(np.maximum(inner, 0)).sum()


def tiles(a, b):
    """Squared distances of `a` to `b`, some rows at a time: (first row, [rows, len(b)])."""
    norms = (b.astype(np.float64) ** 2).sum(1)
    for start in range(0, len(a), TILE):
        rows = a[start:start + TILE].astype(np.float64)
        block = np.empty((len(rows), len(b)))
        for column in range(0, len(b), TILE):
            part = b[column:column + TILE].astype(np.float64)
            block[:, column:column + TILE] = -2 * rows @ part.T
        block += (rows**2).sum(1)[:, None]
        block += norms
        yield start, block


def radii(points):
    found = np.empty(len(points))
    for start, block in tiles(points, points):
        block[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        found[start:start + len(block)] = np.partition(block, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
    return found


def precision_recall(reference, samples):
    balls, own = radii(reference), radii(samples)
    precision, recall = 0, np.zeros(len(reference), bool)
    for start, block in tiles(samples, reference):
        precision += (block <= balls).any(1).sum()
        recall |= (block <= own[start:start + len(block), None]).any(0)
    return precision / len(samples), recall.mean()


def seconds(body, repetitions):
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    return sorted(times)[repetitions // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / ".build/release/prologue"))
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--without-root", action="store_true", help="leave out scipy's matrix root, which takes long")
    options = parser.parse_args()
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    command = [options.binary, "bench", "--metrics", "--repetitions", str(options.repetitions), "--json"]
    try:
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"cannot run {' '.join(command)}: {error}")
    ours = {row["measure"]: row for row in json.loads(answer)["rows"]}
    a, b = gaussian(1), gaussian(2)
    work = [("mean and covariance, streamed", "np.cov of the whole matrix", statistics())]
    work += [("Fréchet distance", "Cholesky and eigvalsh", lambda: eigenvalues(a, b))]
    if not options.without_root:
        work += [("Fréchet distance", "scipy.linalg.sqrtm", lambda: root(a, b))]
    reference, samples = features(COMPARED, 3), features(COMPARED, 4)
    work += [("precision and recall", "tiles of 1024", lambda: precision_recall(reference, samples))]
    print("| measure | rows | prologue s | MiB | numpy, scipy | s | MiB | faster by |\n|---|---|---|---|---|---|---|---|")
    for measure, how, body in work:
        theirs, own = seconds(body, options.repetitions), ours[measure]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"| {measure} | {own['rows']} | {own['seconds']:.2f} | {own['peak_mib']:.0f} | {how} | {theirs:.2f} | {peak:.0f} "
            f"| {theirs / own['seconds']:.2f}× |", flush=True)


if __name__ == "__main__":
    main()
