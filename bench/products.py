#!/usr/bin/env python3
"""Rates of bfloat16 products on a GPU, of the shapes that the paper's AR-Base step has: a large square to measure the step against, and
each product of the step with those of its gradients. A line of JSON each.

    products.py [--toy]     with PyTorch, on its GPU; --toy: few rows, on a processor
"""

import argparse
import json
import time
from statistics import median

import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true")
    toy = parser.parse_args().toy
    device = "cpu" if toy else "cuda"
    rows, width, inner, ids, side = (64, 32, 88, 256, 128) if toy else (64 * 273, 768, 4224, 17472, 8192)
    # y = x·Wᵀ; dx = dy·W; dW = dyᵀ·x: sums run over the second number.
    shapes = {"square": (side, side, side)}
    for name, (i, o) in {"qkv": (width, 3 * width), "out": (width, width), "up": (width, inner), "down": (inner // 2, width), "head": (width, ids)}.items():
        shapes |= {name: (rows, i, o), f"{name}, input gradient": (rows, o, i), f"{name}, weight gradient": (o, rows, i)}
    wait = (lambda: None) if toy else torch.cuda.synchronize
    for name, (m, k, n) in shapes.items():
        # Operands lie in memory as they do in the step.
        a = torch.randn(k, m, device=device).bfloat16().T if "weight" in name else torch.randn(m, k, device=device).bfloat16()
        b = torch.randn(k, n, device=device).bfloat16() if "gradient" in name else torch.randn(n, k, device=device).bfloat16().T
        seconds = []
        for repetition in range(8):
            wait()
            start = time.perf_counter()
            for _ in range(4):
                a @ b
            wait()
            seconds.append((time.perf_counter() - start) / 4)
        print(json.dumps({"product": name, "shape": [m, k, n], "tflop_per_second": round(2 * m * k * n / median(seconds[3:]) / 1e12, 3)}), flush=True)


if __name__ == "__main__":
    main()
