"""Runs sweeps under a real Slurm, undisturbed and with faults, and compares their stores with one made without it, byte for byte.

usage: test_slurm.py PROLOGUE [FAULT ...]

CLUSTER_STEPS (600): steps of each tokenizer; CLUSTER_PATIENCE (300): seconds in which anything has to come to its end. Builds without
optimisation, and machines with other work, need fewer and more of them.
"""

import collections, concurrent.futures, glob, json, os, pathlib, re, shutil, signal, subprocess, sys, tempfile, time, traceback

from slurm import NODES, Slurm, why_not

# Six cells that are trained long enough for a fault to come between.
SWEEP = """
name: cluster
data: {set: shapes, image_size: 16, train_count: 128, test_count: 64}
features: {width: 8, dim: 16, steps: 20, batch: 16}
tokenizer: {dim: 32, layers: 1, heads: 1, codebook: 32, prologue_tokens: 2, prologue_codebook: 8,
  joint_ar: {dim: 32, layers: 1, heads: 1}, steps: STEPS, batch: 16, checkpoint_every: 50, log_every: 5, optimizer: {warmup: 2}}
prior: {dim: 32, layers: 1, heads: 1, steps: 60, batch: 16, checkpoint_every: 10, log_every: 5, optimizer: {warmup: 2}}
sampling: {count: 20, settings: {nocfg: {}}}
probe: {train_count: 32, l2_grid: [0.01]}
resample: {enabled: false}
seeds: [0, 1]
arms:
  baseline: {tokenizer.variant: baseline-2d}
  coupled: {tokenizer.variant: coupled-2d}
  prologue: {tokenizer.variant: prologue}
compare: {baseline: {arm: baseline}, metric: rfid}
"""
PROFILE = """
workers: WORKERS
threads: 1
memory: 1
time_limit: LIMIT
notice: NOTICE
idle: 20
"""
# Records of times and processes, which differ between any two runs; curves have a clock in them.
UNCOMPARED = {"stage.json", "status.json", "log.txt", "metrics.h5", "lock"}
# Seconds in which a sweep has to come to its end, whatever happens to it.
PATIENCE = float(os.environ.get("CLUSTER_PATIENCE", 300))


class Failed(Exception):
    pass


def require(condition, what):
    if not condition:
        raise Failed(what)


def contents(store):
    """Every file that results are read from, by its place in the store."""
    found = {}
    for path in glob.glob(f"{store}/stages/*/**", recursive=True):
        if os.path.isfile(path) and os.path.basename(path) not in UNCOMPARED and "/checkpoints/" not in path:
            found[os.path.relpath(path, store)] = pathlib.Path(path).read_bytes()
    return found


def resumptions(stage):
    """The steps at which work on a stage was taken up again."""
    try:
        return [int(step) for step in re.findall(r"resuming at step (\d+)", (stage / "log.txt").read_text())]
    except OSError:
        return []


class Place:
    """A sweep in a folder of its own."""

    def __init__(self, root, program, name, steps, workers=2, limit=60, notice=30):
        self.folder, self.program = root / name, program
        self.folder.mkdir()
        (self.folder / "sweep.yaml").write_text(SWEEP.replace("STEPS", str(steps)))
        (self.folder / "profile.yaml").write_text(
            PROFILE.replace("WORKERS", str(workers)).replace("LIMIT", str(limit)).replace("NOTICE", str(notice)))
        self.store = self.folder / "store"

    def seconds_of_work(self):
        """In all finished stages."""
        records = glob.glob(f"{self.store}/stages/*/stage.json")
        return sum(json.loads(pathlib.Path(path).read_text())["wall_seconds"] for path in records)

    def run(self, *arguments, limit=PATIENCE):
        environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "PROLOGUE_THREADS")}
        done = subprocess.run([self.program, *arguments, "--store", str(self.store)], cwd=self.folder, env=environment,
                              capture_output=True, text=True, timeout=limit)
        return done.returncode, done.stdout + done.stderr

    def submit(self):
        code, output = self.run("sweep", "run", "sweep.yaml", "--on", "profile.yaml", "--detach", "--on-end",
                                "echo $PROLOGUE_EVENT $PROLOGUE_RUNS_DONE >> ended.txt")
        require(code == 0, f"submitting ends with {code}:\n{output}")
        return re.search(r"Slurm job (\d+)", output)[1]

    def status(self):
        code, output = self.run("sweep", "status", "sweep.yaml", "--json")
        require(code == 0, f"sweep status ends with {code}:\n{output}")
        return json.loads(output)

    def is_done(self):
        return all(cell["state"] == "done" for cell in self.status()["cells"])

    def working(self):
        """Stages in training: name, step, who, seconds of work."""
        found = []
        for lock in glob.glob(f"{self.store}/stages/tokenizer-*/lock"):
            try:
                owner = json.loads(pathlib.Path(lock).read_text())
                status = json.loads(pathlib.Path(lock).with_name("status.json").read_text())
                if status["state"] == "running" and status["step"] >= 60 and status["steps"] - status["step"] > 100:
                    found.append((pathlib.Path(lock).parent.name, status["step"], owner, status["wall_seconds"]))
            except (OSError, ValueError, KeyError):
                continue
        return found

    def logs(self):
        return "\n".join(pathlib.Path(log).read_text(errors="replace") for log in sorted(glob.glob(f"{self.store}/jobs/*/*/worker-*.log")))

    def made(self):
        """How often each stage was made, as the workers' logs have it."""
        return collections.Counter(re.findall(r"^\S+: done in [\d.,]+ s, (\S+)$", self.logs(), re.M))

    def compare(self, expected):
        found = contents(self.store)
        require(found.keys() == expected.keys(), f"other files: {sorted(found.keys() ^ expected.keys())[:8]}")
        different = [name for name in expected if found[name] != expected[name]]
        require(not different, f"other bytes in {different[:8]}")
        twice = {stage: count for stage, count in self.made().items() if count > 1}
        require(not twice, f"made more than once: {twice}")
        code, output = self.run("gc")
        require(code == 0 and "nothing to remove" in output, f"gc finds something:\n{output}")
        return len(found)


class Scenario:
    def __init__(self, cluster, root, program, expected, steps):
        self.cluster, self.root, self.program, self.expected, self.steps = cluster, root, program, expected, steps

    def wait(self, what, condition, limit=PATIENCE, pause=0.3):
        end = time.time() + limit
        while not (value := condition()):
            require(time.time() < end, f"waited {limit} s for {what}")
            time.sleep(pause)
        return value

    def run(self, name, fault, **options):
        """The sweep with a fault in the middle of a training; says how long it took until somebody went on, and what was lost."""
        place = Place(self.root, self.program, name, self.steps, **options)
        begun = time.time()
        try:
            job = place.submit()
            story = ""
            if fault:
                stage, step, owner, spent = self.wait("a training", lambda: place.working() and place.working()[0])
                rate = step / max(spent, 0.01)
                before = resumptions(place.store / "stages" / stage)
                at = time.time()
                fault(place, job, owner)
                story = self.recovery(place, stage, step, owner, rate, at, before)
            self.wait("the sweep's end", place.is_done, pause=2)
            self.wait("the end of the workers", lambda: not self.cluster.tasks(job))
            count = place.compare(self.expected)
            # What a worker whose node's daemon is gone says reaches no log.
            if name != "kill-slurmd":
                stages = {path.split("/")[1] for path in self.expected}
                require(place.made().keys() >= stages, f"no log says who made {sorted(stages - place.made().keys())[:8]}")
            ended = (place.folder / "ended.txt").read_text().split()
            require(ended == ["done", "6"], f"--on-end heard {ended}")
            return f"ok   {name}: {count} files equal, {len(place.made())} stages made once, {time.time() - begun:.0f} s{story}"
        except Exception as error:
            logs = place.logs()[-6000:]
            return f"FAIL {name}: {error}\n{traceback.format_exc() if not isinstance(error, Failed) else ''}{logs}"

    def recovery(self, place, stage, step, owner, rate, at, before):
        """Waits until the stage is worked on by somebody else, or is complete."""
        folder = place.store / "stages" / stage

        def again():
            resumed = resumptions(folder)
            if len(resumed) > len(before):
                try:
                    return json.loads((folder / "lock").read_text())["host"], resumed[-1]
                except (OSError, ValueError):
                    return "somebody", resumed[-1]
            return ("itself", step) if (folder / "stage.json").exists() else None

        host, resumed = self.wait("somebody to go on", again)
        lost = max(0, step - resumed) / rate
        return f"; {owner['host']} -> {host} after {time.time() - at:.0f} s, {lost:.1f} s of work lost"


def faults(cluster):
    def scontrol(*arguments):
        subprocess.run(["scontrol", *arguments], check=True, capture_output=True)

    def coordinator(process):
        return int(re.search(r"^PPid:\s+(\d+)", pathlib.Path(f"/proc/{process}/status").read_text(), re.M)[1])

    def node_down(place, job, owner):
        scontrol("update", f"nodename={owner['host']}", "state=down", "reason=test")

    def slurmd(place, job, owner):
        pid = int((cluster.folder / f"{owner['host']}.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        cluster.daemons[owner["host"]].wait()

    return {
        "usr1": lambda place, job, owner: subprocess.run(["scancel", "--signal=USR1", job], check=True),
        "requeue": lambda place, job, owner: scontrol("requeue", job),
        "kill-worker": lambda place, job, owner: os.kill(owner["process"], signal.SIGKILL),
        "kill-task": lambda place, job, owner: os.kill(coordinator(owner["process"]), signal.SIGKILL),
        "node-down": node_down,
        "kill-slurmd": slurmd,
    }


def time_limit(scenario, plain):
    """A worker alone, whose minute is over before the sweep."""
    steps, longest = scenario.steps, plain
    while (work := longest.seconds_of_work()) < 80:
        # A faster program is given more to do. Not all of it grows with the steps.
        steps = round(steps * 1.1 * 80 / work)
        longest = Place(scenario.root, scenario.program, f"plain-{steps}", steps)
        code, output = longest.run("sweep", "run", "sweep.yaml", "--workers", "2", "--threads", "1")
        if code != 0:
            return f"FAIL time-limit: without Slurm the longer sweep ends with {code}:\n{output}"
    if longest is not plain:
        scenario = Scenario(scenario.cluster, scenario.root, scenario.program, contents(longest.store), steps)
    line = scenario.run("time-limit", None, workers=1, limit=1, notice=10)
    logs = "".join(pathlib.Path(log).read_text() for log in glob.glob(f"{scenario.root}/time-limit/store/jobs/*/*/worker-*.log"))
    times = logs.count("queues up again\n")
    return f"{line}; {times} time limits" if times else f"FAIL time-limit: none was reached\n{line}"


def stop_and_go_on(scenario):
    """`sweep stop`, submitting again, and twice at once."""
    name = "stop"
    place = Place(scenario.root, scenario.program, name, scenario.steps)
    try:
        job = place.submit()
        scenario.wait("a training", place.working)
        code, output = place.run("sweep", "stop", "sweep.yaml")
        require(code == 0, f"sweep stop ends with {code}:\n{output}")
        scenario.wait("the end of the workers", lambda: not scenario.cluster.tasks(job), 60)
        require(not place.is_done(), "the sweep was done before it was stopped")
        jobs = [place.submit(), place.submit()]
        scenario.wait("the sweep's end", place.is_done, pause=2)
        scenario.wait("the end of the workers", lambda: not any(scenario.cluster.tasks(job) for job in jobs))
        return f"ok   {name}: {place.compare(scenario.expected)} files equal, submitted twice more, {len(place.made())} stages made once"
    except Exception as error:
        return f"FAIL {name}: {error}\n{place.logs()[-6000:]}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    reason = why_not()
    if reason:
        return print(f"skipped: {reason}")
    program, chosen = os.path.abspath(sys.argv[1]), sys.argv[2:]
    steps = int(os.environ.get("CLUSTER_STEPS", 600))
    root = pathlib.Path(tempfile.mkdtemp(prefix="prologue-cluster-"))
    cluster, lines = None, []

    def out_of_time(*_):
        # Without waiting for what the scenarios wait for.
        print("FAIL out of time", flush=True)
        if cluster:
            cluster.close()
        shutil.rmtree(root, ignore_errors=True)
        os._exit(1)

    signal.signal(signal.SIGTERM, out_of_time)

    def show(line):
        lines.append(line)
        print(line, flush=True)

    begun = time.time()
    try:
        cluster = Slurm()
        show(f"Slurm with {len(NODES)} nodes, after {time.time() - begun:.0f} s")
        plain = Place(root, program, "plain", steps)
        code, output = plain.run("sweep", "run", "sweep.yaml", "--workers", "2", "--threads", "1")
        require(code == 0, f"without Slurm the sweep ends with {code}:\n{output}")
        expected = contents(plain.store)
        show(f"without Slurm: {len(expected)} files, {time.time() - begun:.0f} s")
        scenario, known = Scenario(cluster, root, program, expected, steps), faults(cluster)
        # Those that wait most are run side by side; a node is taken away from one sweep at a time.
        together = {
            "plain-slurm": lambda: scenario.run("plain-slurm", None),
            "time-limit": lambda: time_limit(scenario, plain),
            "stop": lambda: stop_and_go_on(scenario),
        } | {name: lambda name=name: scenario.run(name, known[name]) for name in ("usr1", "requeue", "kill-worker", "kill-task")}
        alone = {name: lambda name=name: scenario.run(name, known[name]) for name in ("node-down", "kill-slurmd")}
        names = chosen or [*together, *alone]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for done in concurrent.futures.as_completed([pool.submit(together[name]) for name in names if name in together]):
                show(done.result())
        for name in names:
            if name in alone:
                show(alone[name]())
                for node in NODES:
                    if cluster.daemons[node].poll() is not None:
                        cluster.start_node(node)
                    subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], capture_output=True)
                cluster.wait("the nodes", lambda: cluster.states() == ["idle"] * len(NODES))
    finally:
        if cluster:
            cluster.close()
        shutil.rmtree(root, ignore_errors=True)
    show(f"{time.time() - begun:.0f} s")
    sys.exit(any(line.startswith("FAIL") for line in lines))


if __name__ == "__main__":
    main()
