"""80 Million Tiny Images, the paper's outlier set, for those who have it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np
from PIL import Image

from . import _files
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._errors import CorruptFileError
from ._formats import read_lines
from ._info import CorpusInfo, SourceFile

_BYTES_PER_IMAGE = 32 * 32 * 3
_BLOCK = 4096


@register
class TinyImages80m(CorpusBuilder):
    corpus = CorpusInfo(
        name="tiny_images_80m",
        roles=("outlier",),
        modality="image",
        splits={"train": 79_302_017 - 132_409},
        description="Photographs that search engines found for 75,062 nouns, 32x32, colour.",
        licence="withdrawn by its makers",
        citation="Torralba, Fergus, Freeman: 80 million tiny images, 2008",
        homepage="https://groups.csail.mit.edu/vision/TinyImages/",
        files={
            "train": (
                SourceFile("tiny_images.bin"),
                SourceFile(
                    "80mn_cifar_idxs.txt",
                    "https://raw.githubusercontent.com/hendrycks/outlier-exposure/master/"
                    "NLP_classification/utils/80mn_cifar_idxs.txt",
                    "md5:ef8fc8899c7cd6ae15800f8767a10e80",
                ),
            )
        },
        streamed_only=True,
        notes="Its makers withdrew it in 2020, because slurs were among the nouns and offensive pictures among the "
        "images; they ask that nobody use it. It is read from a file of your own only, without the 132,409 images "
        "that are in CIFAR-10 or CIFAR-100. Use random_images_300k instead.",
    )
    features = image_features()

    @classmethod
    def from_files(cls, split: str, paths: list[str], streaming: bool) -> Any:
        images, cifar_indices = paths or [_files.download(file) for file in cls.corpus.files[split]]
        count = os.path.getsize(images) // _BYTES_PER_IMAGE
        if os.path.getsize(images) % _BYTES_PER_IMAGE or not count:
            raise CorruptFileError(images, f"its size is no multiple of {_BYTES_PER_IMAGE:,} bytes")
        bounds = [*range(0, count, _BLOCK), count]
        return datasets.IterableDataset.from_generator(
            _images,
            gen_kwargs={
                "path": images,
                "cifar_indices": cifar_indices,
                "blocks": list(zip(bounds[:-1], bounds[1:], strict=True)),
            },
        )


def _images(path: str, cifar_indices: str, blocks: list[tuple[int, int]]) -> Iterator[dict[str, Image.Image]]:
    # The list counts from 1.
    in_cifar = np.array([int(line) - 1 for line in read_lines(cifar_indices)], dtype=np.int64)
    for start, stop in blocks:
        content = np.fromfile(path, np.uint8, (stop - start) * _BYTES_PER_IMAGE, offset=start * _BYTES_PER_IMAGE)
        # Columns are stored first, then rows, then channels.
        pixels = content.reshape(-1, 3, 32, 32).transpose(0, 3, 2, 1)
        for index in np.setdiff1d(np.arange(start, stop), in_cifar):
            yield {"image": Image.fromarray(np.ascontiguousarray(pixels[index - start]))}
