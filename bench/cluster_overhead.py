"""What sharing out work costs: cells of next to no work by one process, by two workers, and by two workers under Slurm.

    python bench/cluster_overhead.py .build/release/prologue [--cells 500] [--brief]

Every cell draws twenty samples of one prior that all share, and scores them. Prints seconds a cell: all, in the stages themselves, and the
rest, which is ours, with the processor time of it all; then Slurm's share: from sbatch to the workers' start, and what as many jobs of its own that do nothing take.
Needs root and Debian's slurm-wlm and munge (make setup-cluster).
"""

import argparse
import datetime
import glob
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests" / "cluster"))
from slurm import Slurm, why_not  # noqa: E402

SWEEP = """
name: overhead
data: {{set: shapes, image_size: 16, train_count: 64, test_count: 32}}
features: {{width: 8, dim: 16, steps: 2, batch: 16}}
tokenizer: {{dim: 32, layers: 1, heads: 1, codebook: 16, prologue_tokens: 2, prologue_codebook: 4,
  joint_ar: {{dim: 32, layers: 1, heads: 1}}, steps: 2, batch: 16, optimizer: {{warmup: 1}}}}
prior: {{dim: 32, layers: 1, heads: 1, steps: 2, batch: 16, optimizer: {{warmup: 1}}}}
sampling: {{count: 20, settings: {{nocfg: {{}}}}}}
scores: {{precision_recall: false}}
probe: {{train_count: 32, l2_grid: [0.01]}}
resample: {{enabled: false}}
seeds: {{tokenizer: 0, prior: 0, sampler: [{seeds}]}}
"""

parser = argparse.ArgumentParser()
parser.add_argument("prologue")
parser.add_argument("--cells", type=int, default=500)
parser.add_argument("--brief", action="store_true", help="without the row of one process")
given = parser.parse_args()
reason = why_not()
if reason:
    sys.exit(reason)
program = os.path.abspath(given.prologue)
root = pathlib.Path(tempfile.mkdtemp(prefix="prologue-overhead-"))
(root / "sweep.yaml").write_text(SWEEP.format(seeds=", ".join(str(cell) for cell in range(given.cells))))
(root / "shared.yaml").write_text(SWEEP.format(seeds="0"))
(root / "profile.yaml").write_text("workers: 2\nthreads: 1\nmemory: 1\ntime_limit: 120\nidle: 5\n")


def run(store, *arguments):
    begun, used = time.perf_counter(), processor_seconds()
    done = subprocess.run([program, *arguments, "--store", str(root / store)], cwd=root, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments} ends with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return time.perf_counter() - begun, processor_seconds() - used, done.stdout + done.stderr


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def stage_seconds(store):
    """In the stages of the cells, not in those that all share."""
    records = [json.loads(pathlib.Path(p).read_text()) for kind in ("samples", "scores") for p in glob.glob(f"{root}/{store}/stages/{kind}-*/stage.json")]
    return sum(record["wall_seconds"] for record in records), len(records)


def show(name, wall, workers, store, used=None):
    inside, stages = stage_seconds(store)
    columns = [wall, inside / workers, wall - inside / workers] + ([] if used is None else [used])
    print(f"{name:34}" + "".join(f"{column / given.cells:11.4f}" for column in columns) + ("" if used else " " * 11) + f"   {stages} stages", flush=True)


cluster = None
try:
    print(f"{given.cells} cells, seconds a cell\n{'':34}{'all':>11}{'stages':>11}{'rest':>11}{'processor':>11}", flush=True)
    for store, name, workers, options in [
        ("one", "one process", 1, ["--workers", "1"]), ("two", "two workers", 2, ["--workers", "2"]),
    ][given.brief:]:
        run(store, "sweep", "run", "shared.yaml", "--threads", "1", "--workers", "1")
        wall, used, _ = run(store, "sweep", "run", "sweep.yaml", "--threads", "1", "-q", *options)
        show(name, wall, workers, store, used)
    wall, used, _ = run("two", "sweep", "run", "sweep.yaml", "--threads", "1", "-q", "--workers", "2")
    print(f"{'again, with nothing to do':34}{wall / given.cells:11.4f}{'':22}{used / given.cells:11.4f}", flush=True)
    cluster = Slurm(cores=2)
    run("slurm", "sweep", "run", "shared.yaml", "--threads", "1", "--workers", "1")
    submitted, _, output = run("slurm", "sweep", "run", "sweep.yaml", "--on", "profile.yaml", "--detach")
    job = re.search(r"Slurm job (\d+)", output)[1]
    begun = time.perf_counter()
    while cluster.tasks(job):
        time.sleep(0.2)
    wall = time.perf_counter() - begun
    show("two workers under Slurm", wall, 2, "slurm")
    times = dict(re.findall(r"(SubmitTime|StartTime)=(\S+)", cluster.ask("scontrol", "show", "job", f"{job}_1")))
    waited = datetime.datetime.fromisoformat(times["StartTime"]) - datetime.datetime.fromisoformat(times["SubmitTime"])
    print(f"{'of it, from sbatch to the start':34}{waited.total_seconds() / given.cells:11.4f}")
    print(f"{'planning and submitting':34}{submitted / given.cells:11.4f}")
    # What a job for each cell would cost, before it has done anything.
    begun = time.perf_counter()
    job = cluster.ask("sbatch", "--parsable", f"--array=1-{given.cells}", "--output=/dev/null", "--wrap", "true")
    while cluster.tasks(job):
        time.sleep(0.2)
    print(f"{'a Slurm job a cell, doing nothing':34}{(time.perf_counter() - begun) / given.cells:11.4f}")
finally:
    if cluster:
        cluster.close()
    shutil.rmtree(root, ignore_errors=True)
