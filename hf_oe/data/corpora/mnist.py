"""MNIST, handwritten digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._formats import read_idx
from ._info import CorpusInfo, HubRepository, published_at

_HOME = "https://ossci-datasets.s3.amazonaws.com/mnist"


@register
class Mnist(CorpusBuilder):
    corpus = CorpusInfo(
        name="mnist",
        roles=("in-distribution",),
        modality="image",
        splits={"train": 60_000, "test": 10_000},
        description="Handwritten digits, 28x28, grey.",
        licence="CC BY-SA 3.0",
        citation="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998",
        homepage="http://yann.lecun.com/exdb/mnist/",
        hub=HubRepository("ylecun/mnist"),
        files={
            "train": published_at(
                _HOME,
                {
                    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
                    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
                },
            ),
            "test": published_at(
                _HOME,
                {
                    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
                    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
                },
            ),
        },
    )
    features = image_features([str(digit) for digit in range(10)])

    def examples(self, split: str, images: str, labels: str) -> Iterator[dict[str, Any]]:
        for image, label in zip(read_idx(images), read_idx(labels), strict=True):
            yield {"image": image, "label": int(label)}
