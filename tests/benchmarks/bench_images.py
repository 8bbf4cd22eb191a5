"""Rows to an augmented, normalised float batch: our input path against per-image PIL transforms, one process.

python -m tests.benchmarks.bench_images [FOLDER]     # of a cifar10 train.parquet; random images by default
"""

from __future__ import annotations

import sys

import datasets
import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from transformers import default_data_collator

from hf_oe.data.images import BatchTransform, ImageDataset, prepare_images

from .timing import median_seconds

_MEAN, _STD = (0.491, 0.482, 0.447), (0.247, 0.244, 0.262)


def main() -> None:
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        dataset = datasets.load_dataset("parquet", data_files=f"{sys.argv[1]}/train.parquet", split="train")
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
    count = sum(map(len, rows))
    print(f"ours {count / seconds['ours']:,.0f} images/s, per-image PIL transforms {count / seconds['PIL']:,.0f}")
    print(f"ratio {seconds['PIL'] / seconds['ours']:.1f}")


if __name__ == "__main__":
    main()
