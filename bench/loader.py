#!/usr/bin/env python3
"""Time how fast pictures come from a folder, a zip file, ImageNet's archive, an HDF5 file and caches of them, beside PyTorch's DataLoader.

Pictures are synthetic JPEGs of ImageNet's usual sizes. Both sides read, decode, take a random crop of 256 pixels (edges of 256 to 320,
halved by boxes, then bicubic) and mirror half of them, on all cores. A cache of pictures holds them decoded; a cache of squares, and the raw
arrays that PyTorch's side maps into memory as FFCV does, hold the one size that is cut from: no decoding, and no choice of scale.
PyTorch's side is Pillow in a DataLoader with as many workers as cores. Files are in memory by then: disks are not measured.

    loader.py                                    images a second and core
    loader.py --listing 1200000                  how long so many files take to list and to open again, and the memory of that: an archive of
                                                 ImageNet's layout
    loader.py --listing 1200000 --of tree        the same unpacked (one inode a file)
    loader.py --listing 1200000 --of folder      class folders of tiny pictures, each of which is read, digested and decoded once
    loader.py --listing 1200000 --of zip         a zip file of those

Figures for docs/performance.md are of an idle machine and a release build:

    make build && .venv/bin/python bench/loader.py --pictures 2000 --batches 20
    for of in imagenet tree folder zip; do .venv/bin/python bench/loader.py --listing 1200000 --of $of; done
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
        for half in ["train", "test"] if i < CLASSES else ["train"]:
            path = folder / "folder" / half / synset(label) / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    with zipfile.ZipFile(folder / "pictures.zip", "w") as z:
        for path in sorted((folder / "folder").rglob("*.jpg")):
            z.write(path, path.relative_to(folder / "folder"))
    with ImageNet(Zip(folder / "imagenet.zip")) as archive:
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
        np.save(folder / "raw.npy", f["images"][()])
    return sum(len(content) for _, content in pictures) / count


class Zip:
    """A file that members are written to one by one, without compression."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path, "w")

    def write(self, name, content):
        self.zip.writestr(name, content)

    def close(self):
        self.zip.close()


class Tree:
    """A folder that takes the place of a zip file."""

    def __init__(self, path):
        self.path, self.made = path, set()

    def write(self, name, content):
        path = self.path / name
        if path.parent not in self.made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.made.add(path.parent)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def close(self):
        pass


class ImageNet:
    """The competition's layout, in a zip file or a folder."""

    def __init__(self, place):
        self.place, self.answers = place, ["ImageId,PredictionString"]

    def __enter__(self):
        return self

    def train(self, label, number, content):
        self.place.write(f"ILSVRC/Data/CLS-LOC/train/{synset(label)}/{synset(label)}_{number}.JPEG", content)

    def validation(self, number, content, classes=CLASSES):
        name = f"ILSVRC2012_val_{number + 1:08d}"
        self.place.write(f"ILSVRC/Data/CLS-LOC/val/{name}.JPEG", content)
        self.answers.append(f"{name},{synset(number % classes)} 1 2 3 4")

    def __exit__(self, *_):
        self.place.write("LOC_val_solution.csv", "\n".join(self.answers))
        self.place.close()


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
    """Crops of the files of a folder."""

    def __init__(self, folder):
        self.paths = sorted((folder / "folder" / "train").rglob("*.jpg"))

    def __len__(self):
        return 1 << 30

    def __getitem__(self, i):
        from PIL import Image

        rng = np.random.default_rng(i)
        picture = Image.open(self.paths[int(rng.integers(len(self.paths)))]).convert("RGB")
        return crop(picture, rng).copy()


class RawArrays:
    """Crops of decoded pictures of one size, mapped into memory."""

    def __init__(self, folder):
        self.images = np.load(folder / "raw.npy", mmap_mode="r")

    def __len__(self):
        return 1 << 30

    def __getitem__(self, i):
        rng = np.random.default_rng(i)
        image = self.images[int(rng.integers(len(self.images)))]
        top, left = (int(rng.integers(0, x - SIDE + 1)) for x in image.shape[:2])
        part = image[top : top + SIDE, left : left + SIDE]
        return (part[:, ::-1] if rng.random() < 0.5 else part).copy()


def pytorch(data, batches):
    """Images a second once all workers are at work: what they have made before that is not counted."""
    from torch.utils.data import DataLoader

    workers = os.cpu_count()
    loader = iter(DataLoader(data, batch_size=256, num_workers=workers, prefetch_factor=1))
    # Each worker has one batch finished at most, and one begun.
    for _ in range(2 * workers):
        next(loader)
    count = -(-batches // workers) * workers
    start = time.perf_counter()
    for _ in range(count):
        next(loader)
    return 256 * count / (time.perf_counter() - start)


def ours(program, path, data_set, batches, cache="none"):
    command = [program, "bench", "--loader", path, "--data-set", data_set, "--repetitions", batches, "--cache", cache, "--json"]
    return json.loads(subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE).stdout)["rows"][0]


def listing(folder, count, kind, program):
    place = {"imagenet": Zip, "zip": Zip}.get(kind, Tree)(folder / "large")
    if kind in ["imagenet", "tree"]:
        with ImageNet(place) as files:
            for i in range(count):
                files.train(i % 1000, i, b"")
            for i in range(max(1000, min(50_000, count))):
                files.validation(i, b"", classes=1000)
        row = ours(program, folder / "large", "imagenet", 0)
    else:
        tiny = tiny_jpeg()
        for i in range(count):
            # As many bytes at the end as make each file another.
            place.write(f"train/{synset(i % 1000)}/{synset(i % 1000)}_{i}.jpg", tiny + i.to_bytes(4, "little"))
        for i in range(max(1000, min(50_000, count))):
            place.write(f"test/{synset(i % 1000)}/{i}.jpg", tiny + i.to_bytes(4, "big"))
        place.close()
        row = ours(program, folder / "large", "image-folder", 0)
    print(f"{row['train']:.0f} training and {row['test']:.0f} held-out files ({kind}): listed in {row['opening']:.1f} s, opened again in "
          f"{row['again']:.2f} s, {row['peak_mib']:.0f} MiB at most")


def tiny_jpeg():
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500, help="synthetic pictures (default: 500)")
    parser.add_argument("--batches", type=int, default=8, help="batches of 256 that are timed (default: 8)")
    parser.add_argument("--listing", type=int, metavar="FILES", help="time the listing of so many files instead")
    parser.add_argument("--of", choices=["imagenet", "tree", "folder", "zip"], default="imagenet", help="with --listing: of what")
    parser.add_argument("--program", default=str(ROOT / ".build/release/prologue"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.listing:
            return listing(folder, arguments.listing, arguments.of, arguments.program)
        size = write(folder, arguments.pictures)
        cores = os.cpu_count()
        print(f"{arguments.pictures} pictures of {size / 1000:.0f} KB, {cores} cores, load {os.getloadavg()[0]:.1f} before")
        rates = {
            f"prologue, {name}": ours(arguments.program, folder / path, data_set, arguments.batches, cache)["images/s"]
            for name, path, data_set, cache in [
                ("folder", "folder", "image-folder", "none"), ("zip", "pictures.zip", "image-folder", "none"),
                ("ImageNet's zip", "imagenet.zip", "imagenet", "none"), ("HDF5", "pictures.h5", "image-hdf5", "none"),
                ("cache of pictures", "imagenet.zip", "imagenet", "pictures"), ("cache of squares", "imagenet.zip", "imagenet", "squares"),
            ]
        }
        rates["PyTorch, folder"] = pytorch(Folder(folder), arguments.batches)
        rates["PyTorch, raw arrays"] = pytorch(RawArrays(folder), arguments.batches)
        for name, rate in rates.items():
            print(f"{name:26} {rate:8.1f} images/s {rate / cores:8.1f} a core")


if __name__ == "__main__":
    main()
