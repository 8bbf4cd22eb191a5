"""Finding planted copies of CIFAR-10 among outliers: recall by kind, false removals, and the time of a large run.

python -m tests.benchmarks.bench_decontaminate DATA_DIR [--large]

DATA_DIR holds cifar10, game_textures, omniglot and imagenet_sample as parquet files. `--large` compares 300,000
decoded outliers, random crops of imagenet_sample, with 50,000 decoded images; the time includes hashing, descriptors,
candidates and verification, not the decoding of files.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import numpy as np
from PIL import Image

from hf_oe.data.decontaminate import decontaminate

from .memory import peak_mib
from .results import Result, table


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", quality=75)
    return Image.open(buffer)


def shifted(image: Image.Image, mode: str, rng: np.random.Generator) -> Image.Image:
    down, across = rng.permutation([(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, 1)])[0]
    padded = np.pad(np.asarray(image), ((1, 1), (1, 1), (0, 0)), mode=mode)
    return Image.fromarray(padded[1 + down : 33 + down, 1 + across : 33 + across])


def alterations(rng: np.random.Generator) -> dict[str, Callable[[Image.Image], Image.Image]]:
    return {
        "exact": lambda image: image,
        "JPEG quality 75": jpeg,
        "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "shifted, black border": lambda image: shifted(image, "constant", rng),
        "shifted, wrapped": lambda image: shifted(image, "wrap", rng),
        "resized to 64": lambda image: image.resize((64, 64), Image.Resampling.BICUBIC),
        "resized to 64 and back": lambda image: image.resize((64, 64)).resize((32, 32), Image.Resampling.BILINEAR),
        "mirrored, shifted, JPEG": lambda image: jpeg(
            shifted(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "edge", rng)
        ),
    }


def random_crops(photographs: list[Image.Image], count: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (count, 32, 32, 3), at random place and scale."""
    crops = np.empty((count, 32, 32, 3), np.uint8)
    for crop, index in zip(crops, rng.integers(len(photographs), size=count), strict=True):
        photograph = photographs[index]
        side = rng.integers(32, min(photograph.size) + 1)
        left, top = (rng.integers(length - side + 1) for length in photograph.size)
        box = (left, top, left + side, top + side)
        crop[...] = photograph.resize((32, 32), Image.Resampling.BILINEAR, box=box)
    return crops


def as_dataset(images: list[Image.Image]) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"image": images}, features=datasets.Features({"image": datasets.Image()}))


def recall(train: datasets.Dataset, rng: np.random.Generator) -> Iterator[Result]:
    kinds = alterations(rng)
    names = np.repeat(list(kinds), 2000 // len(kinds))
    rows = rng.choice(len(train), len(names), replace=False)
    planted = [
        kinds[name](image.convert("RGB")) for name, image in zip(names, train[rows.tolist()]["image"], strict=True)
    ]
    _, report = decontaminate(as_dataset(planted), train)
    found = Counter(names[match.index] for match in report.matches if match.corpus_index == rows[match.index])
    for name in kinds:
        total = (names == name).sum()
        yield Result(
            name, "matched to the original / planted", found[name] / total, at_least=1 if name == "exact" else 0.99
        )


def false_removals(train: datasets.Dataset, innocents: dict[str, datasets.Dataset | np.ndarray]) -> Iterator[Result]:
    for name, outliers in innocents.items():
        _, report = decontaminate(outliers, train)
        yield Result(f"innocent {name}", "removed / all", len(report.matches) / len(outliers), at_most=0.001)


def print_large(train: datasets.Dataset, photographs: list[Image.Image], rng: np.random.Generator) -> None:
    references = np.stack([np.asarray(image.convert("RGB")) for image in train["image"]])
    outliers = random_crops(photographs, 300_000, rng)
    outliers[:5000] = references[:5000, :, ::-1]
    start = time.perf_counter()
    _, report = decontaminate(outliers, references)
    seconds = time.perf_counter() - start
    peak = peak_mib() / 1024
    print(f"\n300,000 against {len(references):,}: {seconds:.0f} s, peak {peak:.2f} GiB, arrays of pixels included")
    print(f"5,000 planted mirror images: {sum(match.index < 5000 for match in report.matches)} found")
    print(f"others removed: {sum(match.index >= 5000 for match in report.matches)}")


def load(data_dir: Path, name: str, split: str) -> datasets.Dataset:
    path = data_dir / name / f"{split}.parquet"
    return datasets.load_dataset("parquet", data_files=str(path), split="train")


def photographs_of(data_dir: Path) -> list[Image.Image]:
    return [image.convert("RGB") for image in load(data_dir, "imagenet_sample", "train")["image"]]


def results(data_dir: Path | None) -> Iterator[Result]:
    if data_dir is None:
        return
    rng, train = np.random.default_rng(0), load(data_dir, "cifar10", "train")
    yield from recall(train, rng)
    innocents = {name: load(data_dir, name, "test") for name in ("game_textures", "omniglot")}
    innocents["imagenet_sample crops"] = random_crops(photographs_of(data_dir), 10_000, rng)
    yield from false_removals(train, innocents)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    if arguments.large:
        train = load(arguments.data_dir, "cifar10", "train")
        print_large(train, photographs_of(arguments.data_dir), np.random.default_rng(0))
    else:
        print(table(("decontaminate", result) for result in results(arguments.data_dir)))


if __name__ == "__main__":
    main()
