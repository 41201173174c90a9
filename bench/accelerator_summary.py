#!/usr/bin/env python3
"""What scripts/accelerator_check.sh has measured, as a table: `accelerator_summary.py RESULTS`. What is missing stays missing."""

import json
import sys
from pathlib import Path
from statistics import median

# Ours, PyTorch's, JAX's.
ROWS = {
    "AR-Base, step": ("prior", "torch-prior", "jax-prior"), "AR-Base, sampling": ("sampling", "torch-sampling", None),
    "tokenizer B, step": ("tokenizer", "torch-tokenizer", None),
}
OURS_ALONE = {
    "AR-Base once more": "prior-again", "without autotuning": "prior-untuned", "all deterministic": "prior-deterministic",
    "tokenizer B with losses of images": "tokenizer-images",
}


def lines(path):
    """Lines of JSON among others."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                pass
    return found


def seconds(answer):
    """Without waiting in between where that was measured, as training runs."""
    return None if answer is None else answer.get("chained_seconds") or median(answer["seconds"])


def shown(value, form="{:.2f}"):
    return "–" if value is None else form.format(value)


def main(folder):
    def last(name, suffix):
        return next(iter(lines(folder / f"{name}.{suffix}")[::-1]), None) if name else None

    products = {line["product"]: line["tflop_per_second"] for line in lines(folder / "products.log") if "product" in line}
    ours = last("prior", "jsonl")
    print(f"{'':36}{'ours ms':>12}{'PyTorch':>12}{'JAX':>12}{'faster by':>12}")
    for title, (own, torch, jax) in ROWS.items():
        answer = last(own, "jsonl")
        peers = [seconds(last(torch, "log")), seconds(last(jax, "log"))]
        best = min((peer for peer in peers if peer), default=None)
        ratio = best / seconds(answer) if best and answer else None
        values = [1e3 * s if s else None for s in [seconds(answer), *peers]]
        print(f"{title:36}{''.join(f'{shown(v):>12}' for v in values)}{shown(ratio, '{:.2f}x'):>12}")
    for title, name in OURS_ALONE.items():
        own = seconds(last(name, "jsonl"))
        print(f"{title:36}{shown(1e3 * own if own else None):>12}")
    square = products.get("square")
    if ours and ours.get("tflop_per_second") and square:
        share = 100 * ours["tflop_per_second"] / square
        print(f"\nAR-Base: {ours['tflop_per_second']:.1f} TFLOP/s, {share:.0f} % of a square product's {square:.1f}")
    for name, rate in products.items():
        print(f"product {name:30}{rate:10.1f} TFLOP/s")
    for answer in [last(name, "jsonl") for name in ("prior", "sampling", "tokenizer", "tokenizer-images")]:
        for note in (answer or {}).get("notes", []):
            print(f"{answer['program']}: {note}")
    if ours:
        print(f"\non {ours['device']}; compiled in {ours['compiling_seconds']:.1f} s; peak {shown(ours.get('peak_gib'))} GiB")
        if not ours["notes"] and "cuda" in ours["device"]:
            print("cuDNN's fused attention takes 273 tokens")
    parts = folder / "parts.txt"
    print("\n" + (parts.read_text() if parts.exists() else ""))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
