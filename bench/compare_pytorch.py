#!/usr/bin/env python3
"""Benchmark `prologue` against PyTorch, both sides in turn on one machine, and print a table.

Both sides are child processes that speak the same protocol: a request line `<workload> <repetitions>`, one JSON line back.
Within a round they run directly after one another, so a change of the machine's speed hits both; the ratio is taken round by
round. Which side goes first alternates. One pair of processes per workload and mode, so peak memory belongs to that workload.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
WORKLOADS = ("ar-step", "tokenizer-step", "sampling")
MODES = ("eager-float32", "compiled-float32", "eager-bf16", "compiled-bf16")


class Side:
    """One benchmark process; answers requests, raises with what it printed if it dies."""

    def __init__(self, command, environment):
        self.command = command
        try:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            sys.exit(f"cannot start {command[0]}: {error.strerror}. Build it with `swift build -c release` or name it by --binary.")

    def request(self, workload, repetitions):
        try:
            self.process.stdin.write(f"{workload} {repetitions}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"{' '.join(map(str, self.command))}: ended with code {self.process.wait()} at `{workload} {repetitions}`")
        try:
            answer = json.loads(line)
        except json.JSONDecodeError:
            sys.exit(f"{self.command[0]}: expected one JSON line, got {line.strip()!r}")
        for key, kind in (("workload", str), ("mode", str), ("seconds", list), ("peak_mib", (int, float)), ("threads", int)):
            if not isinstance(answer.get(key), kind):
                sys.exit(f"{self.command[0]}: the answer lacks a proper `{key}`: {line.strip()}")
        if answer["workload"] != workload or len(answer["seconds"]) != repetitions:
            sys.exit(f"{self.command[0]}: asked for {repetitions} of {workload}, got {line.strip()}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def environment(threads):
    """The same threads for every library; without a forced BLAS core, so that each takes the best the processor has."""
    result = dict(os.environ)
    result.pop("OPENBLAS_CORETYPE", None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        result[name] = str(threads)
    return result


def first_line(command, env):
    try:
        return (subprocess.run(command, env=env, capture_output=True, text=True).stdout.splitlines() or ["unknown"])[0]
    except OSError:
        return "unknown"


def machine(options, env):
    processor, flags = platform.processor() or platform.machine(), []
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            processor = value.strip()
        elif key.strip() == "flags":
            flags = value.split()
    widest = next((name for name in ("avx512_bf16", "avx512f", "avx2") if name in flags), "none")
    core = "import numpy, threadpoolctl as t; print(*(p.get('architecture') for p in t.threadpool_info() if p['internal_api'] == 'openblas'))"
    torch = "import torch; print(torch.__version__, torch.backends.cpu.get_cpu_capability())"
    return {
        "processor": processor,
        "widest_vectors": widest,
        "cores": os.cpu_count(),
        "threads": options.threads,
        "openblas_core_numpy_picks": first_line([options.python, "-c", core], env),
        "torch": first_line([options.python, "-c", torch], env),
        "python": first_line([options.python, "--version"], env),
        "swift": first_line(["swift", "--version"], env),
        "load_before": round(os.getloadavg()[0], 2),
    }


def measure(workload, mode, options, env):
    """Lists of seconds per round for both sides, plus the memory they needed."""
    ours = Side([*options.binary.split(), "bench", "--serve"], env)
    peer = Side([options.python, HERE / "peer.py", "--mode", mode, "--threads", str(options.threads), "--serve"], env)
    rounds, peaks, our_mode = [], {}, None
    for side in (ours, peer):
        side.request(workload, 1)  # builds, compiles, warms up
    for number in range(options.rounds):
        seconds = {}
        for name, side in (("ours", ours), ("pytorch", peer))[:: -1 if number % 2 else 1]:
            time.sleep(options.pause)  # lets the other side's spinning threads go to sleep
            answer = side.request(workload, options.repetitions)
            if answer["threads"] != options.threads:
                sys.exit(f"{name} runs {answer['threads']} threads, not {options.threads}")
            seconds[name], peaks[name] = answer["seconds"], answer["peak_mib"]
            if name == "ours":
                our_mode = answer["mode"]
        rounds.append(seconds)
    for side in (ours, peer):
        side.close()
    ratios = [median(r["pytorch"]) / median(r["ours"]) for r in rounds]
    flat = {name: [s for r in rounds for s in r[name]] for name in ("ours", "pytorch")}
    return {
        "workload": workload, "pytorch_mode": mode, "prologue_mode": our_mode, "rounds": rounds, "peak_mib": peaks,
        "median_seconds": {name: median(values) for name, values in flat.items()},
        "range_seconds": {name: [min(values), max(values)] for name, values in flat.items()},
        "times_faster": {"median": median(ratios), "min": min(ratios), "max": max(ratios)},
    }


def row(result):
    def seconds(name):
        low, high = result["range_seconds"][name]
        return f"{result['median_seconds'][name]:.3f} ({low:.3f}–{high:.3f})"

    faster, peak = result["times_faster"], result["peak_mib"]
    return (result["workload"], result["pytorch_mode"], seconds("ours"), seconds("pytorch"),
            f"{faster['median']:.2f}× ({faster['min']:.2f}–{faster['max']:.2f})", f"{peak['ours']:.0f}", f"{peak['pytorch']:.0f}")


def print_table(results):
    rows = [("workload", "PyTorch mode", "prologue s (range)", "PyTorch s (range)", "prologue is faster by", "MiB", "PyTorch MiB")]
    rows += [row(result) for result in results]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, tuple("-" * width for width in widths))
    for cells in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=".build/release/prologue", help="command of the Swift side (default: %(default)s)")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the PyTorch side (default: this one)")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--modes", nargs="+", choices=(*MODES, "all"), default=["eager-float32"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=2, help="repetitions in a row within a round")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds of rest before each turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, help="also write every number there")
    options = parser.parse_args()
    if options.rounds < 1 or options.repetitions < 1:
        parser.error("--rounds and --repetitions must be at least 1")
    env = environment(options.threads)
    about = machine(options, env)
    for key, value in about.items():
        print(f"{key.replace('_', ' ')}: {value}")
    if about["load_before"] > 0.5:
        print("warning: other processes are running; threaded libraries suffer unequally, so repeat this on a quiet machine")
    results = []
    for mode in MODES if "all" in options.modes else options.modes:
        for workload in options.workloads:
            print(f"running {workload}, {mode} …", file=sys.stderr, flush=True)
            results.append(measure(workload, mode, options, env))
    print()
    print_table(results)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
