#!/usr/bin/env python3
"""Time how fast pictures come from a zip file, a folder, ImageNet's archive and an HDF5 file, beside PyTorch's DataLoader.

Pictures are synthetic JPEGs of ImageNet's usual sizes. Both sides read, decode, take a random crop of 256 pixels (edges of 256 to 320,
halved by boxes, then bicubic) and mirror half of them. PyTorch's side is Pillow in a DataLoader with as many workers as cores.

    loader.py                      images a second and core
    loader.py --listing 1200000    how long an archive of so many files takes to list and to open again, and the memory of that
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SIDE, CLASSES = 256, 10


def jpeg(rng):
    """A picture of about 110 KB: smooth shapes with grain, landscape or portrait."""
    from PIL import Image

    short, long = 375, 500
    height, width = (short, long) if rng.random() < 0.75 else (long, short)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    grain = np.asarray(coarse, np.int16) + rng.normal(0, 12, (height, width, 1)).astype(np.int16)
    buffer = io.BytesIO()
    Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def synset(label):
    return f"n{label + 1440764:08d}"


def write(folder, count):
    import h5py
    from PIL import Image

    rng = np.random.default_rng(0)
    pictures = [(i % CLASSES, jpeg(rng)) for i in range(count)]
    for i, (label, content) in enumerate(pictures):
        for half in ["train", "test"] if i < 2 * CLASSES else ["train"]:
            path = folder / "folder" / half / synset(label) / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    with zipfile.ZipFile(folder / "pictures.zip", "w") as z:
        for path in sorted((folder / "folder").rglob("*.jpg")):
            z.write(path, path.relative_to(folder / "folder"))
    with ImageNet(folder / "imagenet.zip") as archive:
        for i, (label, content) in enumerate(pictures):
            archive.train(label, i, content)
        for i in range(CLASSES):
            archive.validation(i, pictures[i][1])
    with h5py.File(folder / "pictures.h5", "w") as f:
        rows = []
        for _, content in pictures:
            picture = Image.open(io.BytesIO(content)).convert("RGB")
            edge = min(picture.size)
            rows.append(np.asarray(picture.crop((0, 0, edge, edge)).resize((320, 320), Image.BICUBIC)))
        f["images"], f["labels"] = np.stack(rows), np.array([label for label, _ in pictures])
    return sum(len(content) for _, content in pictures) / count


class ImageNet:
    """An archive in the competition's layout."""

    def __init__(self, path):
        self.zip, self.answers = zipfile.ZipFile(path, "w"), ["ImageId,PredictionString"]

    def __enter__(self):
        return self

    def train(self, label, number, content):
        self.zip.writestr(f"ILSVRC/Data/CLS-LOC/train/{synset(label)}/{synset(label)}_{number}.JPEG", content)

    def validation(self, number, content, classes=CLASSES):
        name = f"ILSVRC2012_val_{number + 1:08d}"
        self.zip.writestr(f"ILSVRC/Data/CLS-LOC/val/{name}.JPEG", content)
        self.answers.append(f"{name},{synset(number % classes)} 1 2 3 4")

    def __exit__(self, *_):
        self.zip.writestr("LOC_val_solution.csv", "\n".join(self.answers))
        self.zip.close()


def crop(picture, rng):
    from PIL import Image

    edge = int(rng.integers(SIDE, SIDE * 5 // 4 + 1))
    while min(picture.size) >= 2 * edge:
        picture = picture.resize(tuple(x // 2 for x in picture.size), Image.BOX)
    scale = edge / min(picture.size)
    picture = picture.resize(tuple(round(x * scale) for x in picture.size), Image.BICUBIC)
    left, top = (int(rng.integers(0, x - SIDE + 1)) for x in picture.size)
    array = np.asarray(picture.crop((left, top, left + SIDE, top + SIDE)))
    return array[:, ::-1] if rng.random() < 0.5 else array


class Folder:
    def __init__(self, folder):
        self.paths = sorted((folder / "folder" / "train").rglob("*.jpg"))

    def __len__(self):
        return 1 << 30

    def __getitem__(self, i):
        from PIL import Image

        rng = np.random.default_rng(i)
        picture = Image.open(self.paths[int(rng.integers(len(self.paths)))]).convert("RGB")
        return np.ascontiguousarray(crop(picture, rng))


def pytorch(folder, batches):
    from torch.utils.data import DataLoader

    loader = iter(DataLoader(Folder(folder), batch_size=256, num_workers=os.cpu_count()))
    next(loader)
    start = time.perf_counter()
    for _ in range(batches):
        next(loader)
    return 256 * batches / (time.perf_counter() - start)


def ours(program, path, data_set, batches):
    command = [program, "bench", "--loader", str(path), "--data-set", data_set, "--repetitions", str(batches), "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["rows"][0]


def listing(folder, count, program):
    with ImageNet(folder / "large.zip") as archive:
        for i in range(count):
            archive.train(i % 1000, i, b"")
        for i in range(50_000):
            archive.validation(i, b"", classes=1000)
    row = ours(program, folder / "large.zip", "imagenet", 0)
    print(f"{row['train']:.0f} training and {row['test']:.0f} held-out files: listed in {row['opening']:.1f} s, opened again in "
          f"{row['again']:.2f} s, {row['peak_mib']:.0f} MiB at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--listing", type=int)
    parser.add_argument("--program", default=str(ROOT / ".build/release/prologue"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.listing:
            return listing(folder, arguments.listing, arguments.program)
        size = write(folder, arguments.pictures)
        cores = os.cpu_count()
        print(f"{arguments.pictures} pictures of {size / 1000:.0f} KB, {cores} cores, load {os.getloadavg()[0]:.1f} before")
        rates = {
            f"prologue, {name}": ours(arguments.program, folder / path, data_set, arguments.batches)["images/s"]
            for name, path, data_set in [
                ("folder", "folder", "image-folder"), ("zip", "pictures.zip", "image-folder"), ("ImageNet's zip", "imagenet.zip", "imagenet"),
                ("HDF5", "pictures.h5", "image-hdf5"),
            ]
        }
        rates["PyTorch, folder"] = pytorch(folder, arguments.batches)
        for name, rate in rates.items():
            print(f"{name:26} {rate:8.1f} images/s {rate / cores:8.1f} a core")


if __name__ == "__main__":
    main()
