"""Times the live page.

    prologue bench --index 100000 --cells 500 --curves --keep FOLDER     # a store of made-up runs
    python bench/live_page.py PROLOGUE FOLDER                            # its pages, and updates of one sweep
    python bench/live_page.py PROLOGUE STORE --draw RUN                  # ten pictures of a trained run
    python bench/live_page.py PROLOGUE STORE --watch SWEEP --seconds 60  # what an open page takes while a sweep trains

Prints medians in milliseconds, from the request to the last byte on this machine; the processor time that the server took for each,
which other programs on the machine change little; and the server's memory.
"""

import argparse
import http.client
import os
import re
import sqlite3
import statistics
import subprocess
import time
from urllib.parse import quote, urlencode

parser = argparse.ArgumentParser()
parser.add_argument("prologue")
parser.add_argument("store")
parser.add_argument("--repetitions", type=int, default=20)
parser.add_argument("--draw", metavar="RUN")
parser.add_argument("--watch", metavar="SWEEP")
parser.add_argument("--seconds", type=float, default=60)
given = parser.parse_args()

server = subprocess.Popen([given.prologue, "serve", "--store", given.store, "--port", "0"], stdout=subprocess.PIPE, text=True)
lines = [server.stdout.readline() for _ in range(3)]
port = int(re.search(r":(\d+)/", lines[1]).group(1))
token = lines[2].strip().rsplit("=", 1)[1]


def ask(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    start = time.perf_counter()
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    spent = (time.perf_counter() - start) * 1000
    connection.close()
    if answer.status not in (200, 303):
        raise SystemExit(f"{path}: status {answer.status}")
    return spent, text, answer.headers


def processor_seconds():
    fields = open(f"/proc/{server.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_calm():
    """The server reads the newest sweeps ahead: what is measured begins when it is done with that."""
    before = -1.0
    while (now := processor_seconds()) > before:
        before = now
        time.sleep(0.5)


def pages():
    wait_until_calm()
    first = ask("GET", "/history.csv?q=" + quote("order by created limit 1"))[1].decode().splitlines()[1].split(",")
    sweep = f"/sweep/{quote(first[1], safe='')}"
    named = {
        "sweeps": "/", "a sweep": sweep, "history, newest": "/history",
        "history, by score": "/history?q=" + quote("metrics.gfid.nocfg < 12 order by metrics.gfid.nocfg limit 50"),
        "history, by setting": "/history?q=" + quote("config.prior.dim = 128 and seed = 2 limit 100"),
        "draw": "/draw",
    }
    print(f"{'page':34}{'first [ms]':>12}{'again [ms]':>12}{'server [ms]':>12}{'KiB':>8}")

    versions = {}

    def show(name, path, headers={}, change=lambda: None, first=""):
        times, before = [], processor_seconds()
        for _ in range(given.repetitions):
            change()
            spent, text, _ = ask("GET", path, headers=headers)
            times.append(spent)
            if headers:
                fresh = re.findall(rb'<section id="(\w+)" data-live="(\w+)">', text)
                versions.update((part.decode(), version.decode()) for part, version in fresh)
                headers["X-Live-Parts"] = urlencode(versions)
        # Counted by the system in hundredths of a second, over all repetitions.
        server = 1000 * (processor_seconds() - before) / given.repetitions
        print(f"{name:34}{first:>12}{statistics.median(times):12.1f}{server:12.1f}{len(text) / 1024:8.0f}")

    for name, path in named.items():
        spent, text, _ = ask("GET", path)
        if b'http-equiv="refresh"' in text:
            # The browser shows this and asks again at once.
            print(f"{name + ', announced':34}{spent:12.1f}")
            spent = ask("GET", path)[0]
        show(name, path, first=f"{spent:.1f}")

    # As a page that stays open asks: for the parts that are not as it has them.
    held = {"X-Live-Parts": "none=0"}

    def update(name, change):
        show(name, sweep, held, change)

    update("update of a sweep, nothing new", lambda: None)
    with sqlite3.connect(os.path.join(given.store, "index.sqlite")) as index:
        stages = [row[0] for row in index.execute("SELECT stage_id FROM run_stages WHERE run_id = ? AND role = 'tokenizer'", (first[0],))]
        files = [os.path.join(given.store, "stages", s, "metrics.h5") for s in stages]
        if all(map(os.path.exists, files)):
            update("  a training has logged", lambda: [os.utime(f) for f in files])

        def note():
            # Another value each time: the same one would not be written.
            index.execute("UPDATE runs SET message = CASE message WHEN '' THEN ' ' ELSE '' END WHERE id = ?", (first[0],))
            index.commit()

        update("  a run has changed", note)


def draw():
    for repetition in range(3):
        start = time.perf_counter()
        form = urlencode({"run": given.draw, "class": "3", "count": "10", "seed": str(repetition)})
        headers = {"Authorization": "Bearer " + token, "Content-Type": "application/x-www-form-urlencoded"}
        place = ask("POST", "/draw", form, headers)[2]["Location"]
        while b'class="drawn"' not in (text := ask("GET", place)[1]):
            if b"Failed" in text:
                raise SystemExit("drawing failed")
            time.sleep(0.02)
        print(f"ten pictures, {'models loaded first' if repetition == 0 else 'again'}: {time.perf_counter() - start:.2f} s")


def watch():
    """A browser's page of the sweep: an open stream, and the parts that follow the store after each event."""
    path = f"/sweep/{quote(given.watch, safe='')}"
    for _ in range(2):
        ask("GET", path)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=given.seconds + 60)
    connection.request("GET", "/events" + path)
    stream = connection.getresponse()
    start, before, updates, versions = time.perf_counter(), processor_seconds(), 0, {}
    while time.perf_counter() - start < given.seconds:
        if stream.readline().startswith(b"event: change"):
            _, text, _ = ask("GET", path, headers={"X-Live-Parts": urlencode(versions) or "none=0"})
            versions.update(re.findall(r'<section id="(\w+)" data-live="(\w+)">', text.decode()))
            updates += 1
    wall = time.perf_counter() - start
    used = processor_seconds() - before
    print(f"{updates} updates in {wall:.0f} s; the server took {100 * used / wall:.2f} % of one core, {1000 * used / max(1, updates):.0f} ms each")


try:
    if given.draw:
        draw()
    elif given.watch:
        watch()
    else:
        pages()
    memory = re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{server.pid}/status").read()).group(1)
    print(f"resident memory of the server: {int(memory) / 1024:.0f} MiB")
finally:
    server.terminate()
