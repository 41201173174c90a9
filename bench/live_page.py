"""Times the live page: prologue bench --index 100000 --keep FOLDER fills a store, this asks the server for its pages.

    python bench/live_page.py .build/release/prologue FOLDER [--repetitions 9]

Prints medians in milliseconds, from the request to the last byte on this machine, and the server's memory.
"""

import argparse
import http.client
import re
import statistics
import subprocess
import time
from urllib.parse import quote

parser = argparse.ArgumentParser()
parser.add_argument("prologue")
parser.add_argument("store")
parser.add_argument("--repetitions", type=int, default=9)
given = parser.parse_args()

server = subprocess.Popen([given.prologue, "serve", "--store", given.store, "--port", "0"], stdout=subprocess.PIPE, text=True)
try:
    lines = [server.stdout.readline() for _ in range(3)]
    port = int(re.search(r":(\d+)/", lines[1]).group(1))

    def get(path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{path}: status {answer.status}")
        return (time.perf_counter() - start) * 1000, size

    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/history.csv?q=" + quote("order by created limit 1"))
    first = connection.getresponse().read().decode().splitlines()[1].split(",")
    pages = {
        "sweeps": "/", "a sweep": f"/sweep/{quote(first[1], safe='')}", "history, newest": "/history",
        "history, by score": "/history?q=" + quote("metrics.gfid.nocfg < 12 order by metrics.gfid.nocfg limit 50"),
        "history, by setting": "/history?q=" + quote("config.prior.dim = 128 and seed = 2 limit 100"),
        "draw": "/draw",
    }
    print(f"{'page':22}{'first [ms]':>12}{'again [ms]':>12}{'KiB':>8}")
    for name, path in pages.items():
        once, size = get(path)
        print(f"{name:22}{once:12.1f}{statistics.median(get(path)[0] for _ in range(given.repetitions)):12.1f}{size / 1024:8.0f}")
    memory = re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{server.pid}/status").read()).group(1)
    print(f"resident memory of the server: {int(memory) / 1024:.0f} MiB")
finally:
    server.terminate()
