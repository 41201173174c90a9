"""Read-only access to a Prologue store, also while sweeps run.

    from prologue_store import Store
    store = Store("results/store")
    store.runs()                    # a frame, a row a run
    store.scores()                  # a row a score of a run, with its protocol
    store.curves(run, "tokenizer")  # a row a step
    store.samples(run, "nocfg")     # images, tokens, labels as arrays
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

__all__ = ["Samples", "Store"]


class Samples(NamedTuple):
    """Samples of a run: images [n, height, width, channels] in levels 0…255, tokens [n, T], classes [n] (-1: none)."""

    images: np.ndarray
    tokens: np.ndarray
    labels: np.ndarray

    def sheet(self, columns: int = 8, count: int = 64) -> np.ndarray:
        """The first images in rows as one array [height, width, channels], to be shown by matplotlib or PIL."""
        images = self.images[:count]
        _, height, width, channels = images.shape
        rows = -(-len(images) // columns)
        full = np.full((rows * columns, height, width, channels), 255, np.uint8)
        full[: len(images)] = images
        return full.reshape(rows, columns, height, width, channels).swapaxes(1, 2).reshape(rows * height, columns * width, channels)


class Store:
    """A store's folder. Nothing is ever written to it, and no lock is taken."""

    def __init__(self, folder: str | Path = "results/store"):
        self.folder = Path(folder)
        if not (self.folder / "runs").is_dir():
            raise FileNotFoundError(f"{self.folder} is no store: it has no folder 'runs'")

    def _index(self) -> Path:
        """In the store; of a store that other hosts work on as well, this host's own, if there is one."""
        key = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:16]
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prologue"
        for place in (cache, Path(tempfile.gettempdir()) / f"prologue-{os.getuid()}"):
            own = place / "index" / key / "index.sqlite"
            if own.exists():
                return own
        return self.folder / "index.sqlite"

    def _query(self, sql: str, arguments: tuple = ()) -> pd.DataFrame:
        index = self._index()
        if not index.exists():
            raise FileNotFoundError(f"{index} is missing; 'prologue runs list --store {self.folder}' makes it")
        database = sqlite3.connect(f"file:{index.absolute()}?mode=ro", uri=True, timeout=30)
        try:
            return pd.read_sql_query(sql, database, params=arguments)
        finally:
            database.close()

    def runs(self, sweep: str | None = None) -> pd.DataFrame:
        """A row a run, newest first: id, sweep, cell, seed, status, step, steps, message, created, wall_seconds."""
        condition, arguments = ("WHERE sweep = ?", (sweep,)) if sweep else ("", ())
        return self._query(
            f"SELECT id, sweep, cell, seed, status, step, steps, message, created, wall_seconds FROM runs {condition} ORDER BY created DESC, id",
            arguments,
        )

    def settings(self, run: str) -> dict:
        """All settings of a run, as its run.json has them."""
        return self._record(run)["config"]

    def scores(self, sweep: str | None = None) -> pd.DataFrame:
        """A row a score of a run: run, sweep, cell, seed, name, value (NaN: failed), protocol, stage."""
        condition, arguments = ("WHERE runs.sweep = ?", (sweep,)) if sweep else ("", ())
        return self._query(
            f"""SELECT runs.id AS run, sweep, cell, seed, metrics.name, value, protocol_name AS protocol, stage_id AS stage
            FROM runs JOIN metrics ON run_id = runs.id {condition} ORDER BY runs.id, metrics.name""",
            arguments,
        )

    def curves(self, run: str, role: str = "tokenizer") -> pd.DataFrame:
        """What a stage logged, a row a step; NaN where nothing was measured at a step. Also while it trains."""
        with h5py.File(self._stage(run, role) / "metrics.h5", "r", swmr=True) as file:
            count = len(file["step"])  # Grows last: so many rows are complete in every column.
            names = ["step", "wall_seconds", *(n.decode() if isinstance(n, bytes) else n for n in file.attrs["columns"])]
            return pd.DataFrame({name: file[name][:count] for name in names})

    def samples(self, run: str, sampler: str = "nocfg", count: int | None = None) -> Samples:
        """The samples that a run drew under a sampler; `count` reads the first ones only."""
        with h5py.File(self._stage(run, f"samples.{sampler}") / "samples.h5", "r") as file:
            return Samples(file["images"][:count], file["tokens"][:count], file["labels"][:count])

    def tokens(self, run: str, half: str = "test") -> tuple[np.ndarray, np.ndarray]:
        """Tokens [n, K + N], prologue first, and classes [n] of the data's `train` or `test` half."""
        with h5py.File(self._stage(run, "tokens") / "tokens.h5", "r") as file:
            return file[f"{half}_indices"][:], file[f"{half}_labels"][:]

    def picture(self, run: str, number: int = 0) -> bytes:
        """A run's picture as the bytes of a PNG: `IPython.display.Image(store.picture(run))`."""
        pictures = [entry for entry in self._list(run, "artifacts.json") if entry["kind"] == "picture"]
        if not 0 <= number < len(pictures):
            raise IndexError(f"{run} has {len(pictures)} pictures, none of number {number}")
        return (self.folder / pictures[number]["path"]).read_bytes()

    def _record(self, run: str) -> dict:
        file = self.folder / "runs" / run / "run.json"
        if "/" in run or not file.exists():
            raise KeyError(f"no run '{run}' in {self.folder}")
        return json.loads(file.read_text())

    def _list(self, run: str, name: str) -> list:
        self._record(run)
        file = self.folder / "runs" / run / name
        content = json.loads(file.read_text()) if file.exists() else []
        return content["entries"] if isinstance(content, dict) else content

    def _stage(self, run: str, role: str) -> Path:
        stages = self._record(run)["stages"]
        if role not in stages:
            raise KeyError(f"{run} has no stage '{role}'; it has {', '.join(sorted(stages))}")
        return self.folder / "stages" / stages[role]
