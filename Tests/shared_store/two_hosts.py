"""Two hosts work on one store: each with a name, a mount of the files and an index of its own, without locks that reach the other.

    python3 Tests/shared_store/two_hosts.py PROLOGUE [ROUNDS [HEARTBEAT]]

ROUNDS: how often a host is stopped, and killed (1). HEARTBEAT: seconds between two signs of life (1; the program's own are 10).

The kernels of many machines have no NFS, so that each host here sees the files through a mount of bindfs (a file system in user space)
of its own: the kernel then keeps names, attributes and contents for each by itself, and a lock that one has taken the other does not
see. Host names are those of namespaces. What is shown: the same files as one process makes on its own disk, no stage made twice, a
stopped and a killed host's stages taken over, h5py on the other host reading curves as they grow, indices that agree.
"""

import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import h5py

SWEEP = """
name: two-hosts
data: {set: shapes, image_size: 16, train_count: 320, test_count: 160}
features: {width: 8, dim: 16, steps: 20, batch: 16}
tokenizer:
  {patch: 4, dim: 32, layers: 1, heads: 1, codebook: 32, prologue_tokens: 2, prologue_codebook: 8,
   joint_ar: {dim: 32, layers: 1, heads: 1}, steps: 120, batch: 16, checkpoint_every: 10, log_every: 1, optimizer: {warmup: 5}}
prior: {dim: 32, layers: 1, heads: 1, steps: 120, batch: 16, checkpoint_every: 10, log_every: 1, optimizer: {warmup: 5}}
sampling: {count: 40, settings: {nocfg: {}}}
probe: {enabled: false}
arms:
  baseline: {tokenizer.variant: baseline-2d}
  prologue: {tokenizer.variant: prologue}
"""
# What tells of times and processes.
UNCOMPARED = {"stage.json", "status.json", "log.txt", "metrics.h5"}
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 1
HEARTBEAT = float(sys.argv[3]) if len(sys.argv) > 3 else 1
STALE = 6 * HEARTBEAT


def skip(why):
    print(f"skipped: {why}")
    sys.exit(0)


def check(holds, what):
    if not holds:
        raise AssertionError(what)
    print(f"ok {what}", flush=True)


class Host:
    """A host: a name, a mount of the shared files at a place that is the same on all hosts, a disk of its own."""

    def __init__(self, name, folder, shared, program):
        self.name, self.program, self.place = name, program, os.path.join(folder, "mnt")
        self.mount, self.disk = os.path.join(folder, f"mount-{name}"), os.path.join(folder, f"disk-{name}")
        for path in (self.mount, self.disk, self.place):
            os.makedirs(path, exist_ok=True)
        subprocess.run(["bindfs", "--no-allow-other", shared, self.mount], check=True)

    def start(self, *command, **options):
        script = 'hostname "$1" && mount --bind "$2" "$3" && shift 3 && exec "$@"'
        environment = {
            **os.environ, "PROLOGUE_STORE": os.path.join(self.place, "store"), "XDG_CACHE_HOME": self.disk, "HOME": self.disk,
            "PROLOGUE_HEARTBEAT": str(HEARTBEAT), "PROLOGUE_THREADS": "1"}
        environment.pop("PROLOGUE_SHARED_STORE", None)
        return subprocess.Popen(
            ["unshare", "--uts", "--mount", "sh", "-c", script, "sh", self.name, self.mount, self.place, *command],
            env=environment, start_new_session=True, text=True, **options)

    def run(self, *arguments):
        """What the program prints; it must succeed."""
        process = self.start(self.program, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = process.communicate(timeout=200)
        if process.returncode != 0:
            raise AssertionError(f"{self.name}: {arguments}: {process.returncode}\n{output}\n{errors}")
        return output

    def sweep(self, sweep, *more):
        log = open(os.path.join(self.disk, "sweep.log"), "a+")
        process = self.start(self.program, "sweep", "run", sweep, "--workers", "2", "--threads", "1", *more, stdout=log, stderr=log)
        process.log = log
        return process

    def end(self, process, codes=(0,)):
        process.wait(timeout=200)
        process.log.seek(0)
        text = process.log.read()
        if process.returncode not in codes:
            raise AssertionError(f"{self.name} ended with {process.returncode}:\n{text}")
        return text

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.mount], check=False)


def digests(store):
    found = {}
    for path in sorted(glob.glob(store + "/stages/*/**", recursive=True)):
        if os.path.isfile(path) and os.path.basename(path) not in UNCOMPARED:
            with open(path, "rb") as file:
                found[os.path.relpath(path, store)] = hashlib.sha256(file.read()).hexdigest()
    return found


def curves(store):
    found = {}
    for path in sorted(glob.glob(store + "/stages/*/metrics.h5")):
        with h5py.File(path, "r") as file:
            found[path.split("/")[-2]] = [file["step"][:].tolist()] + [file[c][:].tobytes() for c in file.attrs["columns"]]
    return found


def expect_equal(store, reference, what):
    here, there = digests(store), digests(reference)
    differing = [path for path in sorted(set(here) | set(there)) if here.get(path) != there.get(path)]
    check(len(there) > 15 and not differing, f"{what}: {len(there)} files as one process makes them {differing or ''}")
    check(curves(store) == curves(reference), f"{what}: curves too")


def expect_agreement(hosts, store, what):
    """Each host's index against the files, by another program's reading of both."""
    answers = []
    for host in hosts:
        listed = json.loads(host.run("runs", "list", "--json"))
        rows = listed["rows"] if isinstance(listed, dict) else listed
        scores = json.loads(host.run("runs", "sql", "SELECT run_id, name, value, stage_id FROM metrics ORDER BY 1, 2, 4", "--json"))
        stages = json.loads(host.run("runs", "sql", "SELECT id, status FROM stages ORDER BY 1", "--json"))
        answers.append((rows, scores["rows"], stages["rows"]))
    check(answers[0] == answers[1], f"{what}: the indices of both hosts say the same")
    measured = {}
    for path in glob.glob(store + "/stages/*/scores/*.json"):
        with open(path) as file:
            for name, value in json.load(file)["values"].items():
                measured[(path.split("/")[-3], name)] = value
    told = {(row["stage_id"], row["name"]): row["value"] for row in answers[0][1] if (row["stage_id"], row["name"]) in measured}
    check(measured and told == measured, f"{what}: {len(told)} scores in them as the files have them")
    check(all(row["status"] == "done" for row in answers[0][2]), f"{what}: {len(answers[0][2])} stages done")
    for host in hosts:
        left = host.run("gc")
        check("nothing" in left.lower(), f"{what}: gc on {host.name} finds nothing")


class Reader:
    """h5py on a host: reads all curves as they grow, again and again."""

    CODE = """
import glob, h5py, select, sys
steps, reads = {}, 0
while not select.select([sys.stdin], [], [], 0.02)[0]:
    for path in glob.glob(sys.argv[1] + "/stages/*/metrics.h5"):
        for swmr in (True, False):
            with h5py.File(path, "r", swmr=swmr) as file:
                found = file["step"][:].tolist()
                n = len(found)
                assert found == sorted(set(found)), (path, found)
                for column in file.attrs["columns"]: assert len(file[column]) == n, (path, column)
            reads += 1
            steps.setdefault(path, set()).add(n)
print(reads, max(map(len, steps.values())))
"""

    def __init__(self, host):
        self.process = host.start(
            sys.executable, "-c", self.CODE, os.path.join(host.place, "store"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)

    def finish(self):
        output, errors = self.process.communicate("\n", timeout=60)
        if self.process.returncode != 0:
            raise AssertionError(errors)
        return [int(word) for word in output.split()]


def wait_for(condition, process, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen in {seconds} s")
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what}: the program ended before")
        time.sleep(0.02)


def logs(store):
    text = ""
    for path in glob.glob(store + "/stages/*/log.txt"):
        with open(path) as file:
            text += file.read()
    return text


class Loss:
    """A host whose processes have just been stopped or killed: how long its stages stand still, and what of them is done again."""

    def __init__(self, store):
        self.store, self.since, self.trainings = store, time.monotonic(), {}
        for path in glob.glob(store + "/stages/*/lock"):
            with open(os.path.join(os.path.dirname(path), "status.json")) as file:
                status = json.load(file)
            if status.get("rate"):
                self.trainings[path.split("/")[-2]] = (status["step"], status["rate"])

    def takeover(self):
        """Seconds until another host has taken a stage over."""
        wait_for(lambda: "taken over from" in logs(self.store), None, "a takeover", 60 + 3 * STALE)
        return time.monotonic() - self.since

    def lost(self):
        """Seconds of training since the checkpoints that were gone on with, of the training that lost most."""
        seconds = [0.0]
        for stage, (step, rate) in self.trainings.items():
            with open(f"{self.store}/stages/{stage}/log.txt") as file:
                resumed = [int(number) for number in re.findall(r"resuming at step (\d+)", file.read())]
            seconds.append(max(0, step - (resumed[0] if resumed else 0)) / rate)
        return max(seconds)


def main(program):
    if os.geteuid() != 0:
        skip("two hosts need root, for namespaces and mounts")
    for tool in ("bindfs", "unshare", "hostname"):
        if shutil.which(tool) is None:
            skip(f"there is no {tool}; Debian's package bindfs has the file system")
    if not os.path.exists("/dev/fuse"):
        skip("this machine has no /dev/fuse")
    folder = tempfile.mkdtemp(prefix="two-hosts-")
    hosts = []
    try:
        sweep = os.path.join(folder, "sweep.yaml")
        with open(sweep, "w") as file:
            file.write(SWEEP)
        reference = os.path.join(folder, "reference")
        plain = {**os.environ, "PROLOGUE_STORE": reference, "PROLOGUE_THREADS": "1", "HOME": folder}
        subprocess.run(
            [program, "sweep", "run", sweep, "--workers", "1", "--threads", "1", "--quiet"], check=True, env=plain, timeout=200)

        def fresh(name):
            for host in hosts:
                host.unmount()
            shared = os.path.join(folder, name)
            os.makedirs(shared)
            hosts[:] = [Host(host, os.path.join(folder, f"{name}-hosts"), shared, program) for host in ("a", "b")]
            return hosts[0], hosts[1], os.path.join(shared, "store")

        # Both at once, and h5py.
        a, b, store = fresh("together")
        first = a.sweep(sweep)
        wait_for(lambda: glob.glob(store + "/stages/*/metrics.h5"), first, "a training")
        found = json.loads(a.run("doctor", "--json"))["rows"]
        found = {row["topic"]: row["found"] for row in found}
        check("shared with other hosts" in found["store's file system"], "doctor says that the store is shared")
        reader = Reader(b)
        second = b.sweep(sweep)
        texts = [a.end(first), b.end(second)]
        reads, lengths = reader.finish()
        check(reads > 20 and lengths > 2, f"h5py on b read growing curves {reads} times without an error, {lengths} lengths of one")
        stages = len(glob.glob(store + "/stages/*/stage.json"))
        worked = [int(re.search(r"(\d+) stages worked on", text).group(1)) for text in texts]
        check(sum(worked) == stages, f"{stages} stages, made once each: {worked[0]} by a, {worked[1]} by b")
        expect_equal(store, reference, "two hosts at once")
        expect_agreement((a, b), store, "two hosts at once")
        check(not os.path.exists(store + "/index.sqlite"), "there is no index in the shared folder")

        for round in range(ROUNDS):
            # A host that stands still, and goes on when its stages are another's.
            a, b, store = fresh(f"stopped-{round}")
            first = a.sweep(sweep)
            wait_for(lambda: glob.glob(store + "/stages/tokenizer-*/checkpoint.h5"), first, "a checkpoint")
            os.killpg(first.pid, signal.SIGSTOP)
            loss = Loss(store)
            second = b.sweep(sweep)
            taken = loss.takeover()
            b.end(second)
            done = digests(store)
            os.killpg(first.pid, signal.SIGCONT)
            a.end(first)
            check(digests(store) == done, f"a stopped host changes nothing when it goes on: taken up after {taken:.1f} s, lost {loss.lost():.1f} s")
            expect_equal(store, reference, "a stopped host")
            expect_agreement((a, b), store, "a stopped host")

            # A host that is gone: all its processes at once.
            a, b, store = fresh(f"killed-{round}")
            first = a.sweep(sweep)
            wait_for(lambda: glob.glob(store + "/stages/tokenizer-*/checkpoint.h5"), first, "a checkpoint")
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
            loss = Loss(store)
            second = b.sweep(sweep)
            taken = loss.takeover()
            b.end(second)
            check("resuming at step" in logs(store), f"a host that is gone: taken up after {taken:.1f} s, lost {loss.lost():.1f} s")
            expect_equal(store, reference, "a host that is gone")
            check("nothing" in b.run("gc").lower(), "a host that is gone: gc finds nothing")
        print("two hosts: all well")
    finally:
        for host in hosts:
            host.unmount()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]))
