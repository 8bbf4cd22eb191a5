"""Images in a `.npy` file as a dataset or as a stream, a block of them in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import datasets
from PIL import Image

from ._formats import encode, npy_header, read_npy

_BLOCK = 1024


def _images(path: str, blocks: list[tuple[int, int]]) -> Iterator[dict[str, Image.Image]]:
    for start, stop in blocks:
        for image in read_npy(path, start, stop, _BLOCK):
            yield {"image": Image.fromarray(image)}


def _all_images(path: str, stamp: tuple[int, int]) -> Iterator[dict[str, Any]]:
    for image in read_npy(path, block=_BLOCK):
        yield {"image": encode(image)}


def load(path: str) -> datasets.Dataset:
    """Every image of the file as a dataset in the cache of `datasets`, losslessly encoded."""
    npy_header(path)
    stat = os.stat(path)
    return datasets.Dataset.from_generator(
        _all_images,
        features=datasets.Features({"image": datasets.Image()}),
        # The time of change makes the cache follow the file.
        gen_kwargs={"path": os.path.abspath(path), "stamp": (stat.st_size, stat.st_mtime_ns)},
    )


def stream(path: str) -> datasets.IterableDataset:
    """A stream of the file's images that can be shuffled by blocks, split among processes, and resumed.

    Each block of about a thousand images is a shard. Rows hold `image`, a PIL image, which is never encoded.
    """
    (count, *_), _ = npy_header(path)
    # So many blocks that 2, 4, 8 or 16 processes get whole ones.
    number = min(count, 16 * -(-count // (16 * _BLOCK)))
    bounds = [count * block // number for block in range(number + 1)]
    blocks = list(zip(bounds[:-1], bounds[1:], strict=True))
    return datasets.IterableDataset.from_generator(_images, gen_kwargs={"path": path, "blocks": blocks})
