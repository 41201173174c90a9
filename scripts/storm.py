"""The storm: disturbs sweeps in many ways and compares their results with an undisturbed one. Run by storm.sh."""

import collections, glob, os, random, re, shutil, signal, subprocess, sys, tempfile, time

PROGRAM = os.environ["PROLOGUE"]
SWEEP = """
name: storm
data: {set: shapes, image_size: 16, train_count: 64, test_count: 32}
features: {width: 8, dim: 16, steps: 10, batch: 16}
tokenizer: {dim: 32, layers: 1, heads: 1, codebook: 32, prologue_tokens: 2, prologue_codebook: 8,
  joint_ar: {dim: 32, layers: 1, heads: 1}, steps: 40, batch: 16, checkpoint_every: 5, log_every: 1, optimizer: {warmup: 2}}
prior: {dim: 32, layers: 1, heads: 1, steps: 40, batch: 16, checkpoint_every: 5, log_every: 1, optimizer: {warmup: 2}}
sampling: {count: 20, settings: {nocfg: {}}}
probe: {train_count: 32, l2_grid: [0.01]}
resample: {enabled: false}
arms: {baseline: {tokenizer.variant: baseline-2d}, prologue: {tokenizer.variant: prologue}}
compare: {baseline: {arm: baseline}, metric: rfid}
"""
# Records of times and processes, which differ between any two runs; curves have a clock in them.
UNCOMPARED = {"stage.json", "status.json", "log.txt", "metrics.h5", "lock"}
counts = collections.Counter()
faults = []


def environment():
    return {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"} | {"PROLOGUE_THREADS": "1"}


def start(arguments):
    return subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(),
        start_new_session=True, errors="replace")


def run(arguments, limit=120):
    """Exit code and output; a program that does not end is a fault."""
    process = start(arguments)
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, "did not end within %d s" % limit
    return process.returncode, output


def alive(group):
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def fault(what, output=""):
    faults.append(what)
    print("FAULT:", what, output[-2000:], sep="\n", flush=True)


def sweep(store, *more):
    return ["sweep", "run", "sweep.yaml", "--store", store, *more]


def contents(store):
    """Every file that results are read from, by its place in the store."""
    found = {}
    for path in glob.glob(store + "/stages/*/**", recursive=True):
        name = os.path.relpath(path, store)
        if os.path.isfile(path) and os.path.basename(path) not in UNCOMPARED and "/checkpoints/" not in path:
            with open(path, "rb") as file:
                found[name] = file.read()
    return found


def compare(store, expected, after):
    code, output = run(sweep(store, "--workers", "1"))
    if code != 0:
        return fault(f"after {after} the sweep ends with {code}", output)
    found = contents(store)
    for name in sorted(set(found) | set(expected)):
        if found.get(name) != expected.get(name):
            fault(f"after {after} {name} is not what an undisturbed sweep makes")
    code, output = run(["gc", "--store", store])
    if code != 0 or re.search(r"(?m)^stage ", output):
        fault(f"after {after} gc ends with {code} or calls a needed stage garbage", output)
    left = [p for p in glob.glob(store + "/**/.*.part", recursive=True, include_hidden=True)]
    if left:
        fault(f"after {after} there is left: {left}")
    counts["stores compared"] += 1


def kills(draw, expected):
    """Kills and requests to stop, of the coordinator, of workers, of all; then to the end."""
    store = "kills"
    shutil.rmtree(store, ignore_errors=True)
    for _ in range(draw.randint(2, 6)):
        process = start(sweep(store, "--workers", draw.choice("12"), "--threads", "1"))
        time.sleep(draw.uniform(0.05, 4))
        number = draw.choice([signal.SIGKILL] * 3 + [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT])
        whole = draw.random() < 0.5
        try:
            (os.killpg if whole else os.kill)(process.pid, number)
            if number == signal.SIGTERM:
                os.kill(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            output, _ = process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return fault(f"signal {number} was not answered")
        # Workers whose coordinator was killed stop at their next step.
        deadline = time.monotonic() + 90
        while alive(process.pid):
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                return fault(f"workers outlive their coordinator after signal {number}")
            time.sleep(0.02)
        counts["kills" if number == signal.SIGKILL else "requests to stop"] += 1
        # On a busy machine a signal may come before the program has begun anything; it ends then, as any program would.
        begun = process.returncode != -number or output
        if number != signal.SIGKILL and begun and process.returncode not in (0, 130):
            fault(f"signal {number} ends with {process.returncode}", output)
        code, output = run(["runs", "list", "--store", store, "--json"])
        if os.path.isdir(store + "/runs") and (code != 0 or '"running"' in output):
            fault("runs list calls a dead run running", output)
    compare(store, expected, "kills")


def damaged(draw, data):
    data = bytearray(data)
    how = draw.choice(["flip", "cut", "zeros", "grow", "gone"] if data else ["grow", "gone"])
    if how == "flip":
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif how == "cut":
        del data[draw.randrange(len(data)):]
    elif how == "zeros":
        at = draw.randrange(len(data))
        data[at:at + 512] = bytes(len(data[at:at + 512]))
    elif how == "grow":
        data += draw.randbytes(draw.randint(1, 600))
    return how, None if how == "gone" else bytes(data)


def damage(draw, expected):
    """Damages files of a finished store. Readers name what is wrong or are right; the next run makes it again."""
    store = "damage"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree("undisturbed", store)
    right = {c: run([*c, "--store", "undisturbed"])[1] for c in [("compare", "sweep.yaml", "--csv")]}
    files = [p for p in glob.glob(store + "/stages/*/**", recursive=True) if os.path.isfile(p)]
    files += glob.glob(store + "/runs/*/*.json") + [store + "/index.sqlite"]
    for path in draw.sample(files, draw.randint(1, 4)):
        with open(path, "rb") as file:
            how, data = damaged(draw, file.read())
        if data is None:
            os.remove(path)
        else:
            with open(path, "wb") as file:
                file.write(data)
        counts["files damaged"] += 1
        for command, answer in right.items():
            code, output = run([*command, "--store", store])
            if code not in (0, 1, 2):
                fault(f"{how} of {path}: {command[0]} ends with {code}", output)
            # A table with holes is no wrong number; another number is.
            if code == 0 and not set(re.findall(r"\d+\.\d{3,}", output)) <= set(re.findall(r"\d+\.\d{3,}", answer)):
                fault(f"{how} of {path}: {command[0]} shows another number", output + answer)
        before = set(os.listdir(store + "/stages"))
        run(["gc", "--yes", "--store", store])
        if before - set(os.listdir(store + "/stages")):
            fault(f"{how} of {path}: gc removes {before - set(os.listdir(store + '/stages'))}")
    compare(store, expected, "damage")


def unprivileged(command):
    """The command as nobody, where we are somebody who may do everything."""
    def drop():
        os.setgid(65534)
        os.setuid(65534)
    process = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=120, preexec_fn=drop if os.getuid() == 0 else None)
    return process.returncode, process.stdout + process.stderr


def permissions(draw, expected):
    """Takes away the right to read something that decides: nothing may be removed, and nobody may call it absent."""
    store = "permissions"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree("undisturbed", store)
    os.chmod(".", 0o755)
    if os.getuid() == 0:
        for folder, names, files in os.walk(store):
            for name in [folder] + [os.path.join(folder, f) for f in files]:
                os.chown(name, 65534, 65534)
    place = draw.choice(
        [store + "/runs", store + "/stages"] + glob.glob(store + "/runs/*") + glob.glob(store + "/runs/*/run.json")
        + glob.glob(store + "/stages/*"))
    mode = os.stat(place).st_mode
    os.chmod(place, 0)
    try:
        for command in (["gc", "--yes"], ["sweep", "status", "sweep.yaml"]):
            code, output = unprivileged([PROGRAM, *command, "--store", store])
            counts["rights taken away"] += 1
            if code not in (0, 2):
                fault(f"without {place}: {command} ends with {code}", output)
            if command[0] == "gc" and "runs" in place and code == 0:
                fault(f"without {place} gc goes on", output)
    finally:
        os.chmod(place, mode)
    if contents(store) != expected:
        fault(f"without {place} something was removed or changed")
    shutil.rmtree(store, ignore_errors=True)


def fuzz(draw, expected):
    """Broken inputs of every kind: an answer in words and an exit code, never a crash or a wait."""
    kind = draw.choice(list(SEEDS))
    name, data = SEEDS[kind]
    data = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 5, 20])):
        at = draw.randrange(len(data))
        choice = draw.randrange(4)
        if choice == 0:
            data[at] = draw.randrange(256)
        elif choice == 1:
            del data[at:at + draw.randint(1, 40)]
        elif choice == 2:
            data[at:at] = data[at:at + draw.randint(1, 40)]
        else:
            data[at:at + 8] = draw.choice([b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7, b"-1", b"1e309", b"{[\"&*"])
        if not data:
            break
    path = "fuzz-" + name
    with open(path, "wb") as file:
        file.write(data)
    if kind == "yaml":
        command = ["sweep", "plan", path, "--store", "undisturbed"]
    elif kind == "safetensors":
        shutil.rmtree("fuzz-import", ignore_errors=True)
        shutil.copytree("released", "fuzz-release", dirs_exist_ok=True)
        shutil.move(path, "fuzz-release/prior/model_1.safetensors")
        command = ["import", "fuzz-release", "--store", "fuzz-import"]
    else:
        command = ["score", "seed.npz", path]
    code, output = run(command, limit=60)
    counts[f"inputs fuzzed ({kind})"] += 1
    # 64 is a mistake in the arguments of the command line.
    if code not in (0, 1, 2, 64):
        kept = f"fault-{len(faults)}-{name}"
        if os.path.exists(path):
            shutil.copy(path, kept)
        fault(f"fuzzed {kind}: {command[0]} ends with {code} (kept as {kept})", output)


SEEDS = {}


def make_seeds():
    import h5py, numpy as np
    features = np.random.default_rng(0).normal(size=(64, 8))
    np.savez("seed.npz", features=features)
    with h5py.File("seed.h5", "w") as file:
        file["features"] = features
    code, output = run(["export", "checkpoint", "storm-prologue", "released", "--store", "undisturbed"])
    if code != 0:
        raise SystemExit(output)
    for kind, path in [("yaml", "sweep.yaml"), ("npz", "seed.npz"), ("h5", "seed.h5"), ("safetensors", "released/prior/model_1.safetensors")]:
        with open(path, "rb") as file:
            SEEDS[kind] = (os.path.basename(path), file.read())


def main():
    seconds = 60 * float(sys.argv[1])
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    draw = random.Random(seed)
    print(f"storm of {seconds / 60:g} minutes, SEED={seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="storm-")
    os.chdir(folder)
    with open("sweep.yaml", "w") as file:
        file.write(SWEEP)
    code, output = run(sweep("undisturbed", "--workers", "1"), limit=600)
    if code != 0:
        raise SystemExit(output)
    expected = contents("undisturbed")
    make_seeds()
    end = time.monotonic() + seconds
    disturbances = [kills, damage, damage, permissions] + [fuzz] * 6
    while time.monotonic() < end and len(faults) < 20:
        draw.choice(disturbances)(draw, expected)
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    print(f"{len(faults)} faults" + (f"; see {folder}" if faults else ""))
    if not faults:
        shutil.rmtree(folder)
    sys.exit(1 if faults else 0)


main()
