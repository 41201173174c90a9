#!/usr/bin/env python3
"""Benchmark `prologue` against PyTorch, both sides in turn on one machine, and print a table.

All sides, our precisions and PyTorch's modes, are child processes that speak the same protocol: a request line
`<workload> <repetitions>`, one JSON line back. Within a round they run directly after one another, so a change of the machine's
speed hits all; ratios are taken round by round, and every other round goes in reverse order. Processes are new for each
workload, so peak memory belongs to that workload. `--before BINARY` times an earlier build of ours in PyTorch's place: what a
change brought.
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
WORKLOADS = ("ar-step", "tokenizer-step", "sampling", "base-ar-step")
PRECISIONS = ("float32", "bfloat16")
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
    widest = next((name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in flags), "none")
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


def measure(workload, options, env):
    """Seconds of every side in every round, all sides warm and in turn, and what they say of themselves."""
    sides = {f"prologue {p}": Side([*options.binary.split(), "bench", "--serve", "--precision", p], env) for p in options.precisions}
    if options.before:
        sides |= {
            f"before {p}": Side([*options.before.split(), "bench", "--serve", "--precision", p], env) for p in options.precisions}
    for mode in options.modes:
        sides[f"pytorch {mode}"] = Side(
            [options.python, HERE / "peer.py", "--mode", mode, "--threads", str(options.threads), "--serve"], env)
    answers = {}
    for name, side in sides.items():
        print(f"  warming up {name}", file=sys.stderr, flush=True)
        side.request(workload, 1)  # builds, compiles, warms up
    rounds = []
    for number in range(options.rounds):
        seconds = {}
        for name in list(sides)[:: -1 if number % 2 else 1]:
            time.sleep(options.pause)  # lets the other side's spinning threads go to sleep
            answers[name] = answer = sides[name].request(workload, options.repetitions)
            if answer["threads"] != options.threads:
                sys.exit(f"{name} runs {answer['threads']} threads, not {options.threads}")
            seconds[name] = answer["seconds"]
        rounds.append(seconds)
    for side in sides.values():
        side.close()
    return {
        "workload": workload, "rounds": rounds,
        "sides": {
            name: {
                "median_seconds": median([s for r in rounds for s in r[name]]),
                "range_seconds": [min(s for r in rounds for s in r[name]), max(s for r in rounds for s in r[name])],
                "peak_mib": answer["peak_mib"],
                **{key: answer[key] for key in ("gflop_per_second", "ceiling_gflop_per_second", "blas_core") if key in answer},
            }
            for name, answer in answers.items()
        },
    }


def compared(result):
    """Ratios of every own precision to all of PyTorch's modes, and to itself before, round by round."""
    modes = [name for name in result["sides"] if name.startswith("pytorch")]
    best = min(modes, key=lambda name: result["sides"][name]["median_seconds"], default=None)
    for ours in (name for name in result["sides"] if name.startswith("prologue")):
        before = ours.replace("prologue", "before")
        for peer in ([before] if before in result["sides"] else []) + modes:
            ratios = [median(r[peer]) / median(r[ours]) for r in result["rounds"]]
            yield {
                "ours": ours, "peer": peer, "is_best": peer == best,
                "times_faster": {"median": median(ratios), "min": min(ratios), "max": max(ratios)},
                "memory_share": result["sides"][ours]["peak_mib"] / result["sides"][peer]["peak_mib"],
            }


def print_table(header, rows):
    rows = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, tuple("-" * width for width in widths))
    for cells in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |")
    print()


def side_rows(results):
    for result in results:
        for name, side in result["sides"].items():
            low, high = side["range_seconds"]
            rate, ceiling = side.get("gflop_per_second"), side.get("ceiling_gflop_per_second")
            yield (result["workload"], name, f"{side['median_seconds']:.3f} ({low:.3f}–{high:.3f})", f"{side['peak_mib']:.0f}",
                   f"{rate:.0f}" if rate else "", f"{rate / ceiling:.0%} of {ceiling:.0f}" if ceiling else "")


def ratio_rows(results):
    for result in results:
        for pair in result["compared"]:
            faster = pair["times_faster"]
            yield (result["workload"], pair["ours"], pair["peer"] + (" (its best)" if pair["is_best"] else ""),
                   f"{faster['median']:.2f}× ({faster['min']:.2f}–{faster['max']:.2f})", f"{pair['memory_share']:.0%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=".build/release/prologue", help="command of the Swift side (default: %(default)s)")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the PyTorch side (default: this one)")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--before", help="command of an earlier build of the Swift side")
    parser.add_argument("--modes", nargs="+", choices=MODES, help="of PyTorch (default: all, none with --before)")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="of ours (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=2, help="repetitions in a row within a round")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds of rest before each turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, help="also write every number there")
    parser.add_argument("--append", type=Path, help="also append them to this history, a JSON line a comparison")
    options = parser.parse_args()
    options.modes = options.modes or (() if options.before else MODES)
    if options.rounds < 1 or options.repetitions < 1:
        parser.error("--rounds and --repetitions must be at least 1")
    env = environment(options.threads)
    about = machine(options, env)
    for key, value in about.items():
        print(f"{key.replace('_', ' ')}: {value}")
    if about["load_before"] > 0.5:
        print("warning: other processes are running; threaded libraries suffer unequally, so repeat this on a quiet machine")
    results = []
    for workload in options.workloads:
        print(f"running {workload} …", file=sys.stderr, flush=True)
        result = measure(workload, options, env)
        results.append({**result, "compared": list(compared(result))})
    print()
    print_table(("workload", "side", "s (range)", "MiB", "GFLOP/s", "of ceiling"), list(side_rows(results)))
    print_table(("workload", "prologue", "other", "prologue is faster by", "of its memory"), list(ratio_rows(results)))
    record = {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": about, "results": results}
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    if options.append:
        with options.append.open("a") as history:
            history.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
