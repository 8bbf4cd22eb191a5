"""Rows to an augmented, normalised float batch: our input path against per-image PIL transforms, one process.

python -m tests.benchmarks.bench_images [DATA_DIR]     # with cifar10; random images by default
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from transformers import default_data_collator

from hf_oe.data.corpora import load_source
from hf_oe.data.images import BatchTransform, ImageDataset, prepare_images

from .results import Result, table
from .timing import median_seconds

_MEAN, _STD = (0.491, 0.482, 0.447), (0.247, 0.244, 0.262)


def results(data_dir: Path | None = None) -> Iterator[Result]:
    torch.set_num_threads(1)
    if data_dir:
        dataset = load_source("cifar10", "train", str(data_dir))
    else:
        images = np.random.default_rng(0).integers(0, 256, (5000, 32, 32, 3), dtype=np.uint8)
        dataset = datasets.Dataset.from_dict(
            {"image": [Image.fromarray(image) for image in images], "label": [0] * len(images)},
            features=datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")}),
        )
    ours = ImageDataset(prepare_images(dataset, 32, 3), 32, 3, BatchTransform(_MEAN, _STD, crop_padding=4, flip=True))
    per_image = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomCrop(32, padding=4),
            transforms.ToTensor(),
            transforms.Normalize(_MEAN, _STD),
        ]
    )
    rows = np.random.default_rng(1).integers(len(dataset), size=(20, 128)).tolist()
    decoded = [dataset[batch]["image"] for batch in rows]
    # The alternative is spared the decoding: its images are in memory.
    seconds = median_seconds(
        {
            "ours": lambda: [default_data_collator(ours.__getitems__(batch)) for batch in rows],
            "PIL": lambda: [torch.stack([per_image(image) for image in batch]) for batch in decoded],
        }
    )
    yield Result("augmented batches", "per-image PIL transforms / ours", seconds["PIL"] / seconds["ours"], at_least=10)


def main() -> None:
    print(table(("images", result) for result in results(Path(sys.argv[1]) if len(sys.argv) > 1 else None)))


if __name__ == "__main__":
    main()
