"""A Slurm of one controller and two nodes on this machine: each node's daemon has a host name of its own."""

import os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, time

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "munged", "unshare")
NODES = ("node1", "node2")


def why_not():
    """Why there can be none here; nothing where there can."""
    if os.geteuid() != 0:
        return "only root may start Slurm's daemons"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if missing:
        return f"{', '.join(missing)} not found: apt-get install slurm-wlm munge"
    if subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode != 0:
        return "this kernel gives no host names to processes (unshare --uts)"


def free_ports(count):
    taken = [socket.socket() for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


class Slurm:
    def __init__(self, cores=8):
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="prologue-slurm-"))
        self.folder.chmod(0o755)
        self.daemons = {}
        ports = free_ports(3)
        (self.folder / "state").mkdir()
        (self.folder / "log").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={node} NodeAddr=127.0.0.1 Port={port} CPUs={cores} RealMemory=8000"
            for node, port in zip(NODES, ports[1:]))
        # Nodes have more cores than the machine, for sweeps side by side. A requeued job waits until its credential has expired. Nodes are given up after 15 seconds.
        (self.folder / "slurm.conf").write_text(f"""
ClusterName=test
SlurmctldHost={socket.gethostname()}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={self.folder}/munge.sock,cred_expire=5
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool_%n
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
ReturnToService=2
SlurmdTimeout=15
SlurmdParameters=config_overrides
MessageTimeout=20
KillWait=10
JobRequeue=1
MaxArraySize=10001
MaxJobCount=20000
PropagateResourceLimits=NONE
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=NO LLN=YES State=UP
""")
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        try:
            self.begin(key)
        except BaseException:
            self.close()
            raise

    def begin(self, key):
        self.start("munged", ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.sock",
                              f"--pid-file={self.folder}/munged.pid", f"--seed-file={self.folder}/munge.seed",
                              f"--log-file={self.folder}/log/munged"])
        self.wait("munged", lambda: (self.folder / "munge.sock").exists())
        self.start("slurmctld", ["slurmctld", "-D", "-c"])
        for node in NODES:
            self.start_node(node)
        self.wait("the nodes", lambda: self.states() == ["idle"] * len(NODES))

    def start(self, name, command):
        with open(self.folder / "log" / f"{name}.out", "a") as log:
            self.daemons[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def start_node(self, node):
        self.start(node, ["unshare", "--uts", "sh", "-c", f"hostname {node} && exec slurmd -D -N {node}"])

    def wait(self, what, condition, limit=120):
        end = time.time() + limit
        while not condition():
            if time.time() > end:
                logs = "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in (self.folder / "log").iterdir())
                raise TimeoutError(f"waited {limit} s for {what}\n{logs}")
            time.sleep(0.2)

    def ask(self, *command):
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()
        except subprocess.TimeoutExpired:
            return ""

    def states(self):
        return [self.ask("sinfo", "-h", "-N", "-n", node, "-o", "%T") for node in NODES]

    def tasks(self, job):
        """Lines of task, state and node of what Slurm has of a job."""
        answer = subprocess.run(["squeue", "-h", "-r", "-j", job, "-o", "%i %T %N"], capture_output=True, text=True, timeout=60)
        return [line.split() for line in answer.stdout.splitlines()]

    def processes(self):
        """Those that this cluster has started: jobs, and what holds them."""
        mark = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        own = {os.getpid(), *(daemon.pid for daemon in self.daemons.values())}
        for place in pathlib.Path("/proc").iterdir():
            try:
                if place.name.isdigit() and int(place.name) not in own and mark in (place / "environ").read_bytes().split(b"\0"):
                    yield int(place.name)
            except OSError:
                continue

    def close(self):
        if "slurmctld" in self.daemons:
            self.ask("scancel", "--quiet", "--user=root")
            end = time.time() + 15
            while self.ask("squeue", "-h") and time.time() < end:
                time.sleep(0.5)
        for name in reversed(list(self.daemons)):
            if name == "munged":
                for process in list(self.processes()):
                    try:
                        os.kill(process, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            self.daemons[name].kill()
            self.daemons[name].wait()
        shutil.rmtree(self.folder, ignore_errors=True)
